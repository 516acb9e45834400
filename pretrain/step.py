"""One batch: views, texts, attack, losses, gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pretrain import processes
from pretrain.augment import may_flip, views
from pretrain.loss import contrastive, sigmoid
from pretrain.pairs import Pairs, fitting
from pretrain.replay import Replay
from pretrain.robust import attack, roughen
from pretrain.schedule import ramp
from pretrain.state import Inputs, TrainConfig, TrainState
from pretrain.style_mixing import mixed


def backward(state: TrainState, pairs: Pairs, config: TrainConfig, inputs: Inputs) -> dict[str, Tensor]:
    """Adds the gradients of one batch to the model's parameters. Returns each loss, unweighted, and their sum, "total".

    Every random number is drawn from the seed, the step and the process, so a resumed run repeats it.
    """
    model, device = state.model, next(state.model.parameters()).device
    rng = _dice(config, state.step, 0)
    size = config.sizes[int(torch.randint(len(config.sizes), (), generator=rng))]  # one for all processes
    if processes.rank():
        rng = _dice(config, state.step, processes.rank())
    torch.manual_seed(rng.initial_seed())  # what towers draw themselves, for dropout
    clean = views(pairs.images, size, rng, flip=may_flip(pairs.texts)).to(device, memory_format=torch.channels_last)
    text, positive, texts = _texts(state, pairs, config, inputs)
    seen = _harm(state, clean, text.detach(), positive, config, inputs, rng)
    encode = _encoder(model, config, inputs)
    if config.mix_styles:
        encode = mixed(encode, model.visual, config.mix_styles)
    images = Replay(encode, seen.split(config.chunk or len(seen)))
    features, own = images.output[:, : -text.shape[1]], images.output[:, -text.shape[1] :]
    image = processes.gather(own)
    losses = {config.loss: _pair_loss(model, image, text, positive, config)}
    losses |= _keeping(model, features, own, clean, config, inputs, rng)
    if inputs.teacher is not None:
        pair = image, text[: len(image)], model.logit_scale.exp()
        losses["teacher"] = inputs.teacher.loss(*pair, clean, pairs.texts, config.chunk)
    weights = {config.loss: 1.0, "teacher": config.teacher_weight}
    weights |= {name: getattr(config, name) for name in ("classes", "glosses", "seen_glosses", "distil")}
    total = sum(weights[name] * loss for name, loss in losses.items())
    total.backward()
    images.backward()
    if texts is not None:
        texts.backward()
    return {name: loss.detach() for name, loss in (losses | {"total": total}).items()}


def _keeping(
    model: nn.Module, features: Tensor, image: Tensor, clean: Tensor, config: TrainConfig, inputs: Inputs, rng
) -> dict[str, Tensor]:
    """The losses that keep ImageNet. features (N, F), image (N, D): before and after the head, of the trained views."""
    found, anchor, glosses = {}, inputs.anchor, inputs.glosses
    if anchor is None:
        return found
    text_map, scale = model.text.proj, model.logit_scale.exp()
    if config.classes:
        found["classes"] = anchor.class_loss(model.visual.head, text_map, scale, rng)
    if config.glosses:
        found["glosses"] = glosses.loss(model.visual.head, text_map, scale, rng)
    if config.seen_glosses or config.distil:
        before = anchor.features(inputs.normalise(clean))
    if config.seen_glosses:
        found["seen_glosses"] = glosses.seen_loss(image, before, text_map, scale, rng)
    if config.distil:
        found["distil"] = anchor.distil_loss(features, before)
    return found


def _dice(config: TrainConfig, step: int, rank: int) -> torch.Generator:
    return torch.Generator().manual_seed((config.seed * 100_003 + step) * 1009 + rank)


def _pair_loss(model: nn.Module, image: Tensor, text: Tensor, positive: Tensor, config: TrainConfig) -> Tensor:
    """image (N, D), text (M, D) and positive (N, M) of all processes."""
    scale = model.logit_scale.exp()
    if config.loss == "sigmoid":
        return sigmoid(image, text, scale, model.logit_bias, positive)
    return contrastive(image, text, scale, positive)


def _encoder(model: nn.Module, config: TrainConfig, inputs: Inputs):
    """Views in [0, 1] -> (N, F + D): the features before the head, where the tower has a trunk, and the embedding."""

    def encode(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=config.bf16):
            images = inputs.normalise(images)
            if not hasattr(model.visual, "trunk"):
                return F.normalize(model.encode_image(images).float())
            features = model.visual.trunk(images)
            return torch.cat([features.float(), F.normalize(model.visual.head(features).float())], 1)

    return encode


def _texts(
    state: TrainState, pairs: Pairs, config: TrainConfig, inputs: Inputs
) -> tuple[Tensor, Tensor, Replay | None]:
    """Unit text features (M, D) of all processes and the bank, which images they fit (all N, M), and what to replay."""
    model, concepts = state.model, processes.gather_names(pairs.concepts)
    device = model.logit_scale.device
    if inputs.cache is None:
        tokens = inputs.tokenise(pairs.texts).to(device)
        texts = Replay(lambda part: _encode_text(model, part, config), tokens.split(config.chunk or len(tokens)))
        return processes.gather(texts.output), fitting(concepts, concepts).to(device), texts
    pooled = processes.gather(inputs.cache(pairs.texts).to(device))
    known = state.bank
    every = torch.cat([pooled, known.vectors.view(-1, pooled.shape[1]).to(device)])
    positive = fitting(concepts, [*concepts, *known.concepts]).to(device)
    known.push(pooled.cpu(), concepts)
    return F.normalize(model.text.proj(every)), positive, None


def _encode_text(model: nn.Module, tokens: Tensor, config: TrainConfig) -> Tensor:
    with torch.autocast(tokens.device.type, torch.bfloat16, enabled=config.bf16):
        return F.normalize(model.encode_text(tokens).float())


def _harm(
    state: TrainState, clean: Tensor, text: Tensor, positive: Tensor, config: TrainConfig, inputs: Inputs, rng
) -> Tensor:
    """The views that are trained on: roughened, and the first `attacked` share of them moved against the loss."""
    rough = roughen(clean, rng, noise=config.noise, blur=config.blur)
    radius = ramp(state.step, config.heads_first, config.radius_ramp, 0, config.radius) * clean.shape[-1] / 112
    count = round(config.attacked * len(clean))
    if radius == 0 or count == 0:
        return rough
    first = processes.rank() * len(clean)
    target = positive[first : first + count].to(text)
    target = target / target.sum(1, keepdim=True)
    state.model.eval()  # the attack neither drops out nor moves the statistics of norms
    moved = _attacked(state, rough[:count], text, target, config, inputs, rng, radius)
    state.model.train(not config.frozen_norms)
    return torch.cat([moved, rough[count:]])


def _attacked(state, images, text, target, config, inputs, rng, radius) -> Tensor:
    scale, encode = state.model.logit_scale.exp().detach(), _encoder(state.model, config, inputs)
    size = config.chunk or len(images)
    done = []
    for part, wanted in zip(images.split(size), target.split(size), strict=True):

        def miss(views: Tensor, wanted: Tensor = wanted) -> Tensor:
            image = encode(views)[:, -text.shape[1] :]
            return -(wanted * (scale * image @ text.T).log_softmax(1)).sum()

        done.append(attack(part, miss, radius=radius, steps=config.attack_steps, rng=rng))
    return torch.cat(done)
