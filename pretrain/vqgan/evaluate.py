"""`python -m pretrain vqgan-evaluate MODEL --crops FOLDER`: what a VQGAN loses of held-out crops, by source.

How it misleads.  PSNR and SSIM like blur; the feature distance is the one that was trained on, where the model was
trained with it.  Crops of one large photograph are alike, and photographs of few packages are few kinds of photograph.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from clipguide import images
from clipguide.models.vqgan import VQGAN
from clipguide.weights import Models
from pretrain.arguments import Parser
from pretrain.data.shards import write_json
from pretrain.vqgan.codebook import perplexity
from pretrain.vqgan.crops import Crops
from pretrain.vqgan.losses import PerceptualDistance
from pretrain.vqgan.run import sheet
from pretrain.vqgan.train import Distance

BATCH, WINDOW = 8, 7  # px, side of SSIM's window
RUNS = 9  # of which the median is timed


def psnr(drawn: Tensor, real: Tensor) -> Tensor:
    """(B, 3, H, W) each in [0, 1] -> (B,) dB."""
    return -10 * (drawn - real).square().mean((1, 2, 3)).clamp(min=1e-10).log10()


def ssim(drawn: Tensor, real: Tensor) -> Tensor:
    """(B, 3, H, W) each in [0, 1] -> (B,), over a flat window (Wang et al. 2004 had a Gaussian one)."""

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, WINDOW, 1)

    a, b = mean(drawn), mean(real)
    spread_a, spread_b, both = mean(drawn**2) - a**2, mean(real**2) - b**2, mean(drawn * real) - a * b
    likeness = (2 * a * b + 1e-4) * (2 * both + 9e-4) / ((a**2 + b**2 + 1e-4) * (spread_a + spread_b + 9e-4))
    return likeness.mean((1, 2, 3))


@torch.no_grad()
def measure(vqgan: VQGAN, crops: Crops, distance: Distance) -> dict[str, dict[str, float]]:
    """Source -> number of crops, PSNR in dB, SSIM, feature distance, perplexity of the codes used; and "all"."""
    use = {name: torch.zeros(len(vqgan.codebook)) for name in dict.fromkeys(crops.sources)}
    rows: dict[str, list[Tensor]] = {name: [] for name in use}
    for name in use:
        places = [at for at, source in enumerate(crops.sources) if source == name]
        for some in torch.tensor(places).split(BATCH):
            real = torch.from_numpy(crops.pictures[some.numpy()]).movedim(-1, 1).float() / 255
            numbers = vqgan.nearest(vqgan.encode(real))
            drawn = vqgan.decode(vqgan.lookup(numbers))
            use[name] += torch.bincount(numbers.flatten(), minlength=len(use[name]))
            apart = distance(drawn, real).expand(len(real))
            rows[name].append(torch.stack([psnr(drawn, real), ssim(drawn, real), apart], 1))
    found = {name: _row(torch.cat(parts), use[name]) for name, parts in rows.items()}
    every = torch.cat([part for parts in rows.values() for part in parts])
    return found | {"all": _row(every, torch.stack(list(use.values())).sum(0))}


def _row(values: Tensor, use: Tensor) -> dict[str, float]:
    quality, likeness, apart = values.mean(0).tolist()
    return {"crops": len(values), "psnr": quality, "ssim": likeness, "features": apart, "perplexity": perplexity(use)}


def timing(vqgan: VQGAN, side: int = 256) -> dict[str, float]:
    """Median ms of decoding one picture, and of decoding it with the way back to the latent."""
    shape = (1, vqgan.codebook.shape[1], side // vqgan.factor, side // vqgan.factor)
    z = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    times: dict[str, list[float]] = {"decode": [], "decode and backward": []}
    for _ in range(RUNS):
        began = time.perf_counter()
        with torch.no_grad():
            vqgan.decode(z)
        times["decode"].append(time.perf_counter() - began)
        began = time.perf_counter()
        torch.autograd.grad(vqgan.decode(z).square().mean(), z)
        times["decode and backward"].append(time.perf_counter() - began)
    return {name: 1000 * sorted(found)[RUNS // 2] for name, found in times.items()}


def table(found: Mapping[str, Mapping[str, float]]) -> str:
    """As Markdown."""
    lines = ["| source | crops | PSNR dB | SSIM | features | perplexity |", "|---|---|---|---|---|---|"]
    for name, row in found.items():
        cells = f"{row['crops']} | {row['psnr']:.1f} | {row['ssim']:.3f} | {row['features']:.3f}"
        lines.append(f"| {name} | {cells} | {row['perplexity']:.0f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    parser = Parser(prog="python -m pretrain vqgan-evaluate", description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="bundled name, or folder")
    parser.add_argument("--crops", type=Path, required=True, help="folder of crops that a run cut")
    parser.add_argument("--features", default="clip-mini", help="CLIP whose image tower measures the feature distance")
    parser.add_argument("--out", type=Path, help="folder for figures.json and a sheet")
    options = parser.parse_args(arguments)
    models = Models("cpu")
    vqgan, crops = models.vqgan(options.model), Crops.read(options.crops, "held")
    found = measure(vqgan, crops, PerceptualDistance(models.features(options.features)))
    times = timing(vqgan)
    print(table(found))
    print(", ".join(f"{name}: {value:.0f} ms at 256 px" for name, value in times.items()))
    if options.out:
        write_json(options.out / "figures.json", {"quality": found, "ms": times})
        shown = torch.from_numpy(crops.pictures[:20].copy()).movedim(-1, 1).float() / 255
        images.write(options.out / "reconstructions.png", images.png(sheet(vqgan, shown)))
        print(json.dumps({"wrote": str(options.out)}))
    return 0
