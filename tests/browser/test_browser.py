"""What people do with the page, in a real browser, with the bundled CLIP.  `make test-app` runs it."""

import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHOTS = Path(__file__).parents[2] / "docs/app"
OVER = "/^(Done|Stopped)/.test(document.querySelector('%s figcaption p')?.innerText || '')"


def shoot(page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.wait_for_timeout(1500)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=False)
    with Image.open(path) as shot:  # 256 colours keep the repository small
        shot.convert("RGB").quantize(256).save(path, optimize=True)


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def setting(page, accordion: str, name: str, value: str) -> None:
    """Types a value into a setting that is folded away."""
    box = page.locator(f"{accordion} .setting-{name} input").first
    if not box.is_visible():
        page.locator(f"{accordion} > button, {accordion} button.label-wrap").first.click()
    box.fill(value)
    page.keyboard.press("Tab")


def ask(page, prompt: str, *, side: int = 64, steps: int = 10) -> None:
    page.fill("#prompt textarea", prompt)
    page.locator("#side input[type=number]").fill(str(side))
    page.keyboard.press("Tab")
    setting(page, "#advanced", "steps", str(steps))


def frames(page, count: int) -> set[str]:
    """Waits for so many different frames on the stage."""
    seen: set[str] = set()
    while len(seen) < count:
        page.wait_for_selector("#stage img")
        seen.add(page.get_attribute("#stage img", "src"))
        page.wait_for_timeout(100)
    return seen


def said(page) -> str:
    """The page's refusal, which is then closed."""
    toast = page.locator(".toast-body").last
    toast.wait_for()
    text = page.locator(".toast-message-text").last.inner_text()
    toast.locator("button").click()
    return text


def photo(path: Path, size=(96, 72)) -> Path:
    image = Image.new("RGB", size, "skyblue")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, size[1] * 0.6, size[0], size[1]), fill="seagreen")
    draw.ellipse((size[0] * 0.3, size[1] * 0.25, size[0] * 0.6, size[1] * 0.75), fill="orangered")
    image.save(path)
    return path


def bomb(path: Path, side: int = 20_000) -> Path:
    """A PNG of side x side px, all of it black, in few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(b"\0" * (side // 8 + 1)) for _ in range(side)) + rows.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


def test_frames_arrive_stop_keeps_the_picture_and_a_restart_finds_it(visit, server):
    page = visit()
    ask(page, "a red fox in the snow", steps=400)
    page.click("#start")
    assert len(frames(page, 3)) == 3
    shoot(page, "make")
    page.click("#stop")
    page.wait_for_function(OVER % "#stage")
    kept = page.get_attribute("#stage img", "src")
    assert kept.startswith("data:image/png") and page.inner_text("#stage figcaption p").startswith("Stopped")
    assert page.outside == [], "the page asked other hosts"
    page.close()

    server.restart()
    page = visit()
    open_tab(page, "History")
    page.locator("#history button:has(img)").first.click()
    page.wait_for_selector("#history-stage img")
    assert page.get_attribute("#history-stage img", "src") == kept
    shoot(page, "history")
    page.click("#history-open")
    page.wait_for_function("document.querySelector('#prompt textarea').value === 'a red fox in the snow'")


def test_a_mask_is_painted_and_the_photo_stylised(visit, server, tmp_path):
    page = visit()
    open_tab(page, "Edit")
    page.locator("#edit-photo input[type=file]").first.set_input_files(photo(tmp_path / "photo.png"))
    canvas = page.locator("#edit-photo canvas").first
    canvas.wait_for()
    page.wait_for_timeout(3000)
    box = canvas.bounding_box()
    across, down = box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.5
    page.mouse.move(across, down)
    page.mouse.down()
    for step in range(1, 12):
        page.mouse.move(across + step * box["width"] * 0.025, down + (step % 3) * 4)
    page.mouse.up()
    page.fill("#edit-prompt textarea", "a mosaic of coloured tiles")
    page.locator("#edit-side input[type=number]").fill("64")
    page.keyboard.press("Tab")
    setting(page, "#edit-advanced", "steps", "6")
    page.click("#edit-start")
    page.wait_for_function(OVER % "#edit-stage")
    page.wait_for_selector("#edit-slider img")
    shoot(page, "edit")
    made = max(server.runs.glob("*/recipe.json"), key=os.path.getmtime).read_text()
    assert '"mask": "' in made and "uploads" in made, "the painted mask reached the method"


def test_bad_uploads_are_refused_in_one_line(visit, tmp_path):
    page = visit()
    page.locator("button", has_text="image prompts").first.click()
    text = tmp_path / "text.png"
    text.write_text("no picture at all")
    box = page.locator("#start-image input[type=file]").first
    for path, expected in ((bomb(tmp_path / "bomb.png"), "too many pixels"), (text, "no picture")):
        box.set_input_files(path)
        refusal = said(page)
        assert expected in refusal and "\n" not in refusal.strip(), refusal
    box.set_input_files(
        {"name": "../../evil.png", "mimeType": "image/png", "buffer": photo(tmp_path / "a.png").read_bytes()}
    )
    page.wait_for_timeout(3000)
    assert not list(Path(tmp_path).rglob("evil*"))
    page.fill("#prompt textarea", "@/etc/passwd")
    page.click("#start")
    assert "names a file" in said(page)


def test_two_visitors_at_once_both_finish(visit):
    pages = [visit(), visit(width=390, height=844, scheme="dark")]
    for number, page in enumerate(pages):
        ask(page, f"a house, {number}", steps=5)
    for page in pages:
        page.click("#start")
    for page in pages:
        page.wait_for_function("document.querySelector('#stage figcaption p')?.innerText.startsWith('Done')")
    shoot(pages[1], "narrow-dark")


def test_a_closed_tab_loses_nothing(visit, server):
    page = visit()
    ask(page, "a lighthouse by the sea", steps=12)
    page.click("#start")
    frames(page, 1)
    page.close()
    page = visit()
    open_tab(page, "History")
    page.locator("#history button:has(img)").first.click()
    page.wait_for_selector("#history-stage img")
    page.wait_for_function("document.querySelector('#history-details').innerText.includes('Done')")
    assert "a lighthouse by the sea" in page.inner_text("#history-details")


def test_the_other_tabs_work(visit, tmp_path):
    page = visit()
    open_tab(page, "Compare")
    page.locator("#compare-pictures input[type=file]").set_input_files([photo(tmp_path / f"{n}.png") for n in "ab"])
    page.fill("#compare-texts textarea", "a red ball on the grass\na blue car")
    page.wait_for_timeout(3000)
    page.click("#compare-score")
    page.wait_for_selector("#compare-table table")
    page.click("#compare-where")
    page.wait_for_selector("#compare-heat img")
    shoot(page, "compare")
    open_tab(page, "Models")
    page.click("#verify")
    page.wait_for_function("document.querySelector('#models').innerText.includes('sha256')")
    shoot(page, "models")


def test_a_batch_of_three_photos_one_of_them_broken(visit, tmp_path):
    page = visit()
    open_tab(page, "Batch")
    broken = tmp_path / "broken.png"
    broken.write_text("no picture at all")
    photos = [photo(tmp_path / "beach.png"), broken, photo(tmp_path / "hill.png", (72, 96))]
    page.locator("#batch-photos input[type=file]").set_input_files(photos)
    page.wait_for_timeout(3000)
    page.fill("#batch-styles textarea", "a mosaic of coloured tiles")
    for name, value in (("steps", "3"), ("side", "64")):
        page.locator(f"#batch-{name} input").fill(value)
        page.keyboard.press("Tab")
    page.click("#batch-start")
    page.wait_for_function("document.querySelector('#batch-table [role=status]')?.innerText.startsWith('Done')")
    rows = page.locator("#batch-table tbody tr").all_inner_texts()
    assert len(rows) == 3 and sum("done" in row for row in rows) == 2, rows
    assert any("broken.png" in row and "no picture" in row for row in rows), rows
    page.wait_for_selector("#batch-sheet img")
    with page.expect_download() as download:
        page.locator("#batch-zip a").first.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert {"manifest.jsonl", "contact-sheet.png"} <= set(archive.namelist()) and len(archive.namelist()) == 4
    shoot(page, "batch")
