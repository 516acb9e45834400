"""Pictures and videos in and out of files, odd and broken ones among them."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from clipguide import images, video
from clipguide.errors import UserError


def picture(height: int = 6, width: int = 8) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def eight_bit(image: Tensor) -> Tensor:
    return (image * 255).round() / 255


def test_what_is_written_comes_back_with_its_metadata(tmp_path):
    recipe = {"prompts": ["a fox, 狐 \"quoted\""], "settings": {"size": [8, 6], "seed": 2**31}}
    path = tmp_path / "x.png"
    images.write(path, images.png(picture(), recipe))
    torch.testing.assert_close(images.read(path), eight_bit(picture()))
    assert images.metadata(path) == recipe
    assert images.png(picture(), recipe) == path.read_bytes()  # the same bytes twice
    assert os.listdir(tmp_path) == ["x.png"]


def colour_of(mode: str) -> Image.Image:
    if mode == "LAB":
        return Image.new("LAB", (4, 3), (111, 188, 167))
    base = Image.new("RGB", (4, 3), (200, 40, 40))
    return base.quantize(4) if mode == "P" else base.convert(mode)


KINDS = {"CMYK": "TIFF", "LAB": "TIFF", "YCbCr": "JPEG"}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", *KINDS])
def test_every_colour_mode_reads_as_rgb(tmp_path, mode):
    path = tmp_path / "x"
    colour_of(mode).save(path, KINDS.get(mode, "PNG"))
    found = images.read(path)
    assert found.shape == (1, 3, 3, 4)
    assert (found[0, :, 1, 1] - torch.tensor([200, 40, 40]) / 255).abs().max() < 0.04


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_greys_read_as_three_equal_channels(tmp_path, mode):
    Image.new("L", (5, 4), 255).convert(mode).save(tmp_path / "x.png")
    assert torch.equal(images.read(tmp_path / "x.png"), torch.ones(1, 3, 4, 5))


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "x.png")
    assert (images.read(tmp_path / "x.png")[0, 0, 0] * 255).tolist() == [0, 1, 128, 255]
    Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)).save(tmp_path / "x.tiff")
    assert (images.read(tmp_path / "x.tiff")[0, 0, 0] * 255).round().tolist() == [0, 128, 255]


def test_transparency_lies_on_white(tmp_path):
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(tmp_path / "x.png")
    assert torch.equal(images.read(tmp_path / "x.png"), torch.ones(1, 3, 2, 2))
    palette = Image.new("P", (2, 2))
    palette.info["transparency"] = b"\x00" * 256
    palette.save(tmp_path / "p.png", transparency=b"\x00" * 256)
    assert torch.equal(images.read(tmp_path / "p.png"), torch.ones(1, 3, 2, 2))


def test_a_turned_photo_comes_out_upright(tmp_path):
    image = Image.new("RGB", (4, 2), "black")
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    image.save(tmp_path / "x.png", exif=exif)
    found = images.read(tmp_path / "x.png")
    assert found.shape == (1, 3, 4, 2) and found[0, :, 0, 1].min() == 1 and found.sum() == 3


def test_of_an_animation_the_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert images.read(tmp_path / "x.gif")[0, :, 0, 0].tolist() == [1, 0, 0]


def test_a_size_crops_about_the_middle_and_longest_keeps_the_aspect(tmp_path):
    wide = torch.zeros(3, 10, 30)
    wide[:, :, 10:20] = 1
    images.write(tmp_path / "x.png", images.png(wide))
    assert torch.equal(images.read(tmp_path / "x.png", (10, 10)), torch.ones(1, 3, 10, 10))
    assert images.read(tmp_path / "x.png", (64, 32)).shape == (1, 3, 32, 64)
    assert images.read(tmp_path / "x.png", longest=15).shape == (1, 3, 5, 15)
    assert images.read(tmp_path / "x.png", longest=99).shape == (1, 3, 10, 30)


def test_alpha_or_luminance_is_the_mask(tmp_path):
    half = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    half.paste((0, 0, 0, 255), (0, 0, 2, 4))
    half.save(tmp_path / "a.png")
    assert images.read_alpha(tmp_path / "a.png")[0, 0, 0].tolist() == [1, 1, 0, 0]
    half.convert("RGB").save(tmp_path / "b.png")
    assert images.read_alpha(tmp_path / "b.png", (8, 8)).shape == (1, 1, 8, 8)


def bytes_of(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_broken_picture_is_refused_in_one_line(tmp_path, kind):
    data, path, dice = bytes_of(kind), tmp_path / "x", np.random.default_rng(1)
    refused = 0
    for _ in range(25):
        broken = bytearray(data[: dice.integers(0, len(data))])
        for place in dice.integers(0, len(broken), 5) if len(broken) else ():
            broken[place] = dice.integers(0, 255)
        path.write_bytes(broken)
        try:
            images.read(path)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error) and str(path) in str(error)
    assert refused


@pytest.mark.parametrize("content", [b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_what_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UserError, match="is no picture that can be read"):
        images.read(tmp_path / "x.png")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="is not there"):
        images.read(tmp_path / "none.png")
    with pytest.raises(UserError, match="is no file"):
        images.read(tmp_path)


@pytest.mark.parametrize("side", [8_001, 12_000, 20_000])  # the last two are what PIL warns of and refuses itself
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, side):
    data = images.png(picture())
    header = b"IHDR" + struct.pack(">II", side, side) + data[24:29]
    (tmp_path / "x.png").write_bytes(data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:])
    with pytest.raises(UserError, match="64 million|exceeds limit"):
        images.read(tmp_path / "x.png")


def test_metadata_of_other_pictures_is_refused(tmp_path):
    images.write(tmp_path / "x.png", images.png(picture()))
    with pytest.raises(UserError, match="does not say how it was made"):
        images.metadata(tmp_path / "x.png")
    from PIL.PngImagePlugin import PngInfo

    for text in ("no json {", "[1, 2]"):
        info = PngInfo()
        info.add_itxt("clipguide", text)
        Image.new("RGB", (2, 2)).save(tmp_path / "y.png", pnginfo=info)
        with pytest.raises(UserError, match="does not say how it was made"):
            images.metadata(tmp_path / "y.png")


def test_values_are_clipped_and_rounded():
    image = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0]).expand(3, 1, 5)
    assert np.asarray(images.to_pil(image))[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    with pytest.raises(RuntimeError):
        images.to_pil(torch.rand(2, 3, 4, 4))  # a batch is no picture


def test_a_failing_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    images.write(path, b"old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left on device") as caught:
        images.write(path, b"new")
    assert "\n" not in str(caught.value) and path.read_bytes() == b"old" and os.listdir(tmp_path) == ["x.png"]


def test_a_folder_that_is_not_there_is_a_line(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        images.write(tmp_path / "none" / "x.png", b"")


def test_the_longest_legal_name_can_be_written(tmp_path):
    path = tmp_path / ("x" * 251 + ".png")
    images.write(path, b"data")
    assert path.read_bytes() == b"data"


def test_a_sheet_shows_every_picture():
    pictures = [torch.full((3, 20, 10), value) for value in (0.0, 0.5, 1.0)]
    sheet = images.sheet(pictures, ["black", "grey", "白"], side=32)
    assert sheet.shape == (1, 3, 2 * (32 + 16 + 4) + 4, 2 * (32 + 4) + 4)
    assert sheet[0, :, 20, 20].tolist() == [0, 0, 0]
    assert images.sheet(pictures, columns=3, side=16).shape == (1, 3, 24, 64)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # imageio's reader, which only this test uses
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_video_has_every_frame(tmp_path, ending):
    import imageio.v2 as imageio

    path = tmp_path / f"x.{ending}"
    video.write(path, [torch.full((1, 3, 34, 33), i / 4) for i in range(5)], fps=10)
    with imageio.get_reader(path) as reader:
        frames = [frame for frame in reader]
    assert len(frames) == 5 and os.listdir(tmp_path) == [path.name]
    side = (34, 32) if ending == "mp4" else (34, 33)
    assert frames[0].shape[:2] == side
    means = [float(frame[..., :3].mean()) / 255 for frame in frames]
    assert means == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=0.02)


def test_a_video_without_frames_or_with_another_ending_is_refused(tmp_path):
    with pytest.raises(UserError, match="no frames"):
        video.write(tmp_path / "x.gif", [])
    with pytest.raises(UserError, match=r"\.mp4 or \.gif"):
        video.write(tmp_path / "x.txt", [picture()])
    with pytest.raises(UserError, match="no folder that can be written"):
        video.write(tmp_path / "none" / "x.gif", [picture()])
    assert os.listdir(tmp_path) == []
