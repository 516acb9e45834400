"""Pictures in and out of files.  The only place that knows PIL.

In memory a picture is (B, 3, H, W) float sRGB in [0, 1].
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from clipguide.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 64_000_000
MAX_SIDE = 4096  # of what is kept of an upload
METADATA_KEY = "clipguide"
PHOTOS = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"))  # endings, in a folder


def read(path: Path | str, size: tuple[int, int] | None = None, *, longest: int = 0) -> Tensor:
    """The picture of a file as (1, 3, H, W).

    Grey, palette, CMYK, 16 bit and EXIF-rotated pictures come out upright and in RGB; of an animation the first
    frame; transparent parts on white.  size (width, height): cropped about the middle to that aspect, then resized.
    longest: px to which the longer side shrinks where it is longer; 0 keeps it.
    UserError when it is no picture, or has more than 64 million pixels.
    """
    from PIL import Image, ImageOps

    image = _open(path)
    if size is not None:
        image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    if longest:
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
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


def has_opacity(path: Path | str) -> bool:
    """Whether some of the file's picture is transparent.  UserError when it is no picture."""
    return _open(path, keep_alpha=True).getchannel("A").getextrema()[0] < 255


def _open(path: Path | str, *, keep_alpha: bool = False) -> Image.Image:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PIL finds odd in a file that it can read all the same
            rgba = _decode(path)
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path} is not there; give a picture that exists") from None
    except Image.DecompressionBombError:  # PIL counts before we can
        raise UserError(f"{path} has far too many pixels; at most 64 million are read") from None
    except Exception as error:  # decoders of broken files raise whatever they stumble over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path} is no picture that can be read ({reason}); give a PNG, JPEG or WebP") from None
    if keep_alpha:
        return rgba
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _decode(path: Path | str) -> Image.Image:
    """The first frame, upright, as RGBA."""
    from PIL import Image, ImageOps

    if not Path(path).is_file() and Path(path).exists():  # a pipe would be waited for
        raise UserError(f"{path} is no file; give a PNG, JPEG or WebP")
    with Image.open(path) as file:
        if file.width * file.height > MAX_PIXELS:
            raise UserError(f"{path} has {file.width} x {file.height} px; at most 64 million pixels are read")
        file.seek(0)
        image = eight_bit(ImageOps.exif_transpose(file))
        if image.mode not in ("RGB", "RGBA", "P", "PA", "L", "LA", "1"):
            image = image.convert("RGB")  # PIL has no way from CMYK or LAB to RGBA
        return image.convert("RGBA")


def eight_bit(image: Image.Image) -> Image.Image:
    """16 and 32 bit greys scaled to 8 bit (PIL's own conversion would clip them)."""
    if not image.mode.startswith(("I", "F")):
        return image
    top = 1.0 if image.mode == "F" else 65535.0
    return image.convert("F").point(lambda value: value * (255.0 / top) + 0.5).convert("L")


def from_pil(image: Image.Image) -> Tensor:
    """-> (1, 3, H, W)."""
    import numpy as np

    return torch.from_numpy(np.array(image.convert("RGB"), dtype=np.float32) / 255).movedim(-1, 0)[None].contiguous()


def to_pil(image: Tensor) -> Image.Image:
    """image: (3, H, W) or (1, 3, H, W)."""
    from PIL import Image

    return Image.fromarray(to_bytes(image).numpy())


def to_bytes(image: Tensor) -> Tensor:
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
    return torch.tensor(palette.getpalette()).view(-1, 3)[sorted(number for _, number in palette.getcolors())] / 255


def colour(name: str) -> Tensor:
    """A CSS colour name, #rgb or #rrggbb -> (3,) sRGB in [0, 1].  UserError for anything else."""
    from PIL import ImageColor

    try:
        return torch.tensor(ImageColor.getrgb(name.strip())[:3]) / 255
    except ValueError:
        raise UserError(f"'{name}' is no colour; give a name such as 'navy', or #rrggbb") from None


def png(image: Tensor, metadata: Mapping[str, Any] | None = None, *, level: int = 6) -> bytes:
    """The bytes of a PNG; `metadata` travels in it as JSON and comes back by `metadata`.

    level: of compression, 0 to 9; 3 takes less than half the time of 6, and a tenth more room.
    """
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if metadata is not None:
        told = json.dumps(metadata, ensure_ascii=False, sort_keys=True)
        info.add_itxt(METADATA_KEY, told.encode(errors="backslashreplace").decode())  # a file's name may be no UTF-8
    buffer = io.BytesIO()
    to_pil(image).save(buffer, "PNG", pnginfo=info, compress_level=level)
    return buffer.getvalue()


def jpeg(image: Tensor, quality: int = 88) -> bytes:
    """The bytes of a JPEG of a picture (3, H, W) or (1, 3, H, W): small and fast, for looking at."""
    buffer = io.BytesIO()
    to_pil(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def laundered(path: Path | str, longest: int = MAX_SIDE) -> bytes:
    """A stranger's picture as a PNG of its bare pixels: upright, with its opacity, without its metadata.

    longest: px that its longer side is shrunk to.  Errors as `read`.
    """
    image = _open(path, keep_alpha=True)
    image.thumbnail((longest, longest))
    if image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def metadata(path: Path | str) -> dict[str, Any]:
    """What `png` put into a picture.  UserError where there is none."""
    from PIL import Image

    _open(path)
    with Image.open(path) as image:
        image.load()
        text = getattr(image, "text", {}).get(METADATA_KEY)
    found = None
    with contextlib.suppress(TypeError, ValueError):
        found = json.loads(text)
    if not isinstance(found, dict):
        raise UserError(f"{path} does not say how it was made; give a PNG that clipguide wrote")
    return found


def write(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all.  UserError when that cannot be done."""
    partial = partial_name(path)
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); make room, or give another folder") from error
    finally:
        discard(partial)


def partial_name(path: Path) -> Path:
    """What a file is called until it is whole: beside `path`, with its ending, and short, for legal names end."""
    return path.with_name(f".{os.getpid()}-{threading.get_ident()}.part{path.suffix}")


def discard(partial: Path) -> None:
    with contextlib.suppress(OSError):  # where nothing can be written, nothing was
        partial.unlink()


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
