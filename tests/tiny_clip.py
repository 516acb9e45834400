"""A CLIP of a few thousand weights and endless batches of plain colours with their names."""

import torch

from clipguide.models.bert import BertConfig
from clipguide.models.clip import build_network
from pretrain.pairs import Pairs, TextCache
from pretrain.state import Inputs, TrainConfig

BERT = BertConfig(
    vocab_size=20,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=4,
)
MODEL = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 64, "head_width": 32, "patch_size": 8, "image_size": 16},
    "text_cfg": {"hf_model_name": "tiny", "context_length": 4, "hf_proj_type": "linear"},
}
CONFIG = TrainConfig(steps=6, batch=6, sizes=(16,), bank=9, warmup=2, radius=1.0, radius_ramp=2, lr=3e-3, head_lr=3e-3)
COLOURS = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "white": (1, 1, 1),
    "black": (0, 0, 0),
    "cyan": (0, 1, 1),
}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def tiny():
    torch.manual_seed(0)
    return build_network(MODEL, BERT).eval()


def tokenise(texts):
    return torch.tensor([[1, 2 + list(COLOURS).index(text)] for text in texts])


def inputs(model):
    def embed(texts):
        with torch.no_grad():
            return model.text.pool(tokenise(texts))

    return Inputs(tokenise, lambda images: images * 2 - 1, TextCache(embed))


def batches(skip=0):
    """Endless noisy plain colours and their names; batch i is the same whatever was skipped."""
    number = skip
    while True:
        g = rng(number)
        plain = torch.tensor(list(COLOURS.values())).float()[:, :, None, None]
        images = (plain * 200 + 55 * torch.rand(6, 3, 16, 16, generator=g)).byte()
        yield Pairs(images, tuple(COLOURS), tuple(COLOURS))
        number += 1
