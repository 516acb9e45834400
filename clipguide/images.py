"""Pictures and videos in and out of files.  The only place that knows PIL and imageio.

In memory a picture is (B, 3, H, W) float sRGB in [0, 1].
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clipguide.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 64_000_000
METADATA_KEY = "clipguide"


def read(path: Path | str, size: tuple[int, int] | None = None) -> Tensor:
    """The picture of a file as (1, 3, H, W).

    Grey, palette, CMYK, 16 bit and EXIF-rotated pictures come out upright and in RGB; of an animation the first
    frame; transparent parts on white.  size (width, height): cropped about the middle to that aspect, then resized.
    UserError when it is no picture, or has more than 64 million pixels.
    """
    image = _open(path)
    if size is not None:
        from PIL import Image, ImageOps

        image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    return from_pil(image)


def read_alpha(path: Path | str, size: tuple[int, int] | None = None) -> Tensor:
    """The opacity of a file's picture, or its luminance where it is opaque: (1, 1, H, W) in [0, 1].  For masks."""
    from PIL import Image, ImageOps

    image = _open(path, keep_alpha=True)
    band = image.getchannel("A")
    if band.getextrema() == (255, 255):
        band = image.convert("L")
    if size is not None:
        band = ImageOps.fit(band, size, Image.Resampling.LANCZOS)
    return from_pil(band.convert("RGB"))[:, :1]


def _open(path: Path | str, *, keep_alpha: bool = False) -> Image.Image:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            if file.width * file.height > MAX_PIXELS:
                raise UserError(f"{path} has {file.width} x {file.height} px; at most 64 million pixels are read")
            file.seek(0)
            image = _eight_bit(ImageOps.exif_transpose(file))
            rgba = image.convert("RGBA")
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path} is not there; give a picture that exists") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is no picture that can be read ({error}); give a PNG, JPEG or WebP") from None
    if keep_alpha:
        return rgba
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16 and 32 bit greys scaled to 8 bit (PIL's own conversion would clip them)."""
    if not image.mode.startswith(("I", "F")):
        return image
    top = 1.0 if image.mode == "F" else 65535.0
    return image.convert("F").point(lambda value: value * (255.0 / top)).convert("L")


def from_pil(image: Image.Image) -> Tensor:
    """-> (1, 3, H, W)."""
    import numpy as np

    array = np.array(image.convert("RGB"), dtype=np.float32) / 255
    return torch.from_numpy(array).movedim(-1, 0)[None].contiguous()


def to_pil(image: Tensor) -> Image.Image:
    """image: (3, H, W) or (1, 3, H, W)."""
    from PIL import Image

    return Image.fromarray(_bytes(image).numpy())


def _bytes(image: Tensor) -> Tensor:
    """(3, H, W) or (1, 3, H, W) in [0, 1] -> (H, W, 3) uint8, rounded."""
    flat = image.detach().cpu().reshape(image.shape[-3:])
    return (flat.clamp(0, 1) * 255).round().to(torch.uint8).movedim(0, -1).contiguous()


def diffuse(image: Tensor, palette: Tensor) -> Tensor:
    """Floyd-Steinberg error diffusion: (3, H, W) with a palette (K, 3), K <= 256 -> (H, W) palette numbers."""
    import numpy as np
    from PIL import Image

    carrier = Image.new("P", (1, 1))
    carrier.putpalette((palette.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).flatten().tolist())
    dithered = to_pil(image).quantize(palette=carrier, dither=Image.Dither.FLOYDSTEINBERG)
    return torch.from_numpy(np.array(dithered)).long().clamp(max=len(palette) - 1)


def main_colours(image: Tensor, count: int) -> Tensor:
    """The `count` (or fewer, where there are no more) colours that stand best for a picture (3, H, W) -> (K, 3)."""
    palette = to_pil(image).quantize(count, kmeans=3)
    used = [number for _, number in palette.getcolors()]
    return torch.tensor(palette.getpalette()).view(-1, 3)[sorted(used)] / 255


def colour(name: str) -> Tensor:
    """A CSS colour name, #rgb or #rrggbb -> (3,) sRGB in [0, 1].  UserError for anything else."""
    from PIL import ImageColor

    try:
        return torch.tensor(ImageColor.getrgb(name.strip())[:3]) / 255
    except ValueError:
        raise UserError(f"'{name}' is no colour; give a name such as 'navy', or #rrggbb") from None


def png(image: Tensor, metadata: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of a PNG; `metadata` travels in it as JSON and comes back by `metadata`."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if metadata is not None:
        info.add_itxt(METADATA_KEY, json.dumps(metadata, ensure_ascii=False, sort_keys=True))
    buffer = io.BytesIO()
    to_pil(image).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def metadata(path: Path | str) -> dict[str, Any]:
    """What `png` put into a picture.  UserError where there is none."""
    from PIL import Image

    _open(path)
    with Image.open(path) as image:
        image.load()
        text = getattr(image, "text", {}).get(METADATA_KEY)
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        raise UserError(f"{path} does not say how it was made; give a PNG that clipguide wrote") from None


def write(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def sheet(pictures: Sequence[Tensor], captions: Sequence[str] = (), *, columns: int = 0, side: int = 256) -> Tensor:
    """A contact sheet (1, 3, H, W): each picture fitted into side x side px, its caption below."""
    from PIL import Image, ImageDraw, ImageOps

    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows, line, gap = math.ceil(len(pictures) / columns), 16 if captions else 0, 4
    cell = (side + gap, side + line + gap)
    page = Image.new("RGB", (columns * cell[0] + gap, rows * cell[1] + gap), "white")
    draw = ImageDraw.Draw(page)
    for index, picture in enumerate(pictures):
        left, top = (index % columns) * cell[0] + gap, (index // columns) * cell[1] + gap
        page.paste(ImageOps.pad(to_pil(picture), (side, side), color="white"), (left, top))
        if captions:
            draw.text((left + 2, top + side + 2), captions[index][: side // 6], fill="black")
    return from_pil(page)


def write_video(path: Path, frames: Iterable[Tensor], *, fps: int = 24) -> None:
    """Frames (3, H, W) or (1, 3, H, W) as MP4 (H.264) or GIF, by the file's ending; whole or not at all.

    MP4 wants even sides: an odd last row or column is dropped.
    """
    import imageio.v2 as imageio

    partial = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    options = {"duration": 1000 / fps, "loop": 0} if path.suffix == ".gif" else {"fps": fps, "macro_block_size": 2}
    try:
        with imageio.get_writer(partial, **options) as writer:
            for frame in frames:
                height, width = frame.shape[-2] // 2 * 2, frame.shape[-1] // 2 * 2
                writer.append_data(_bytes(frame[..., :height, :width]).numpy())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
