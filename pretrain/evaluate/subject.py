"""The CLIP that is measured, with what it already said: every picture and text is embedded once for all suites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipguide.encoders import ClipEncoder
from clipguide.errors import UserError
from pretrain.evaluate.samples import Sample, decode
from pretrain.evaluate.together import Together

BATCH = 16  # larger ones leave the allocator's pools and cost page faults: twice the system time, measured at 64


class Subject:
    """An encoder whose embeddings are remembered. All embeddings are (N, D), unit norm, on the CPU."""

    def __init__(self, encoder: ClipEncoder | Together) -> None:
        self.encoder, self.size, self.name = encoder, encoder.size, encoder.name
        self._texts: dict[str, Tensor] = {}
        self._images: dict[tuple[str, int], Tensor] = {}
        self._features: dict[str, Tensor] = {}

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Texts alike in length are encoded together."""
        new = sorted({text for text in texts if text not in self._texts}, key=len)
        for at in range(0, len(new), BATCH):
            batch = new[at : at + BATCH]
            self._texts.update(zip(batch, self.encoder.encode_text(batch).float().cpu(), strict=True))
        return torch.stack([self._texts[text] for text in texts])

    def ensemble(self, name: str, templates: Sequence[str]) -> Tensor:
        """(D,): the unit mean of a name's unit embeddings in all templates (Radford et al. 2021, section 3.1.4)."""
        return F.normalize(self.texts([template.format(name) for template in templates]).mean(0), dim=0)

    def images(self, samples: Sequence[Sample], size: int | None = None) -> Tensor:
        """size: the side in px at which pictures are seen; the encoder's own without one."""
        size = size or self.size
        new = [sample for sample in samples if (sample.key, size) not in self._images]
        for batch, views in decoded(new, size):
            found = self._encode(views.to(self.encoder.device) / 255).float().cpu()
            self._images.update(zip(((sample.key, size) for sample in batch), found, strict=True))
        return torch.stack([self._images[sample.key, size] for sample in samples])

    def _encode(self, views: Tensor) -> Tensor:
        try:
            with torch.no_grad():
                return self.encoder.encode_image(views)
        except (RuntimeError, AssertionError) as error:
            if views.shape[-1] == self.size:
                raise
            raise UserError(f"{self.name} sees {self.size} px alone; leave --size out") from error

    def features(self, samples: Sequence[Sample]) -> Tensor:
        """(N, F): what the image tower knows before its linear projection, as linear probes use it.

        Errors: UserError for several CLIPs.
        """
        if self.encoder.model is None:
            raise UserError(f"{self.name}: this suite looks into one CLIP; give one name")
        new = [sample for sample in samples if sample.key not in self._features]
        with before_projection(self.encoder.model) as kept:
            for batch, views in decoded(new, self.size):
                made = self._encode(views.to(self.encoder.device) / 255)
                found = (kept.pop() if kept else made).float().cpu()
                self._features.update(zip((sample.key for sample in batch), found, strict=True))
        return torch.stack([self._features[sample.key] for sample in samples])


def decoded(samples: Sequence[Sample], size: int) -> Iterator[tuple[Sequence[Sample], Tensor]]:
    """Batches of samples with their pictures, uint8 (n, 3, size, size), decoded in threads."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for at in range(0, len(samples), BATCH):
            batch = samples[at : at + BATCH]
            yield batch, torch.stack(list(pool.map(partial(decode, size=size), batch)))


@contextmanager
def before_projection(model: nn.Module) -> Iterator[list[Tensor]]:
    """While it lasts, encoding a picture tells its features before the projection.

    A tower with a trunk (timm) puts them into the list. One with a projection matrix gives them, of unit length, in
    place of embeddings. Other towers, such as CLIP's ResNets, have no features but the embedding.
    """
    visual, kept = model.visual, []
    trunk, matrix = getattr(visual, "trunk", None), getattr(visual, "proj", None)
    handle = trunk.register_forward_hook(lambda module, given, made: kept.append(made)) if trunk is not None else None
    if isinstance(matrix, nn.Parameter):
        visual.proj = nn.Parameter(torch.eye(len(matrix)).to(matrix), requires_grad=False)
    try:
        yield kept
    finally:
        if handle is not None:
            handle.remove()
        if isinstance(matrix, nn.Parameter):
            visual.proj = matrix
