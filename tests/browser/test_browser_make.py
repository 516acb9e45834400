"""What people make with the page, in a real browser, with the bundled CLIP.  `make test-app` runs it, top to bottom."""

import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from pages import SHOTS, ask, open_tab, over, shoot, typed
from PIL import Image
from sklearn.datasets import load_sample_image

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
NIGHT = "a painting of a starry night sky"


def still(page, element) -> dict:
    """The element's box, once it has stood for half a second."""
    box = None
    while box is None or box != element.bounding_box():
        box = element.bounding_box()
        page.wait_for_timeout(500)
    return box


def sent(page, box: str, count: int) -> None:
    """Waits until so many files stand in a box, all of them sent."""
    page.wait_for_function(
        "([box, count]) => document.querySelectorAll(box + ' .file-preview a').length === count", arg=[box, count]
    )


def reach(page, stage: str, step: int) -> None:
    """Waits until the picture has come so far, or is over."""
    page.wait_for_function(
        """([stage, step]) => {
            const said = document.querySelector(stage + " figcaption p")?.innerText || "";
            return Number(/step (\\d+)/.exec(said)?.[1] || 0) >= step || /^(Done|Stopped)/.test(said);
        }""",
        arg=[stage, step],
    )


def frames(page, count: int) -> set[str]:
    """Waits for so many different frames on the stage."""
    seen: set[str] = set()
    while len(seen) < count:
        page.wait_for_selector("#stage img")
        seen.add(page.get_attribute("#stage img", "src"))
        page.wait_for_timeout(100)
    return seen


def refused(page, expected: str) -> None:
    """The page says so in one line, which is then closed."""
    toast = page.locator(".toast-body", has_text=expected).last
    toast.wait_for()
    text = toast.locator(".toast-message-text").inner_text().strip()
    assert expected in text and "\n" not in text, text
    toast.locator("button").first.click()
    toast.wait_for(state="hidden")


def photo(path: Path, name: str = "flower", width: int = 320) -> Path:
    """One of scikit-learn's sample photos: "flower" or "china"."""
    picture = Image.fromarray(load_sample_image(f"{name}.jpg"))
    picture.resize((width, round(picture.height * width / picture.width))).save(path)
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
    ask(page, NIGHT, side=192, steps=400)
    page.click("#start")
    assert len(frames(page, 3)) == 3
    reach(page, "#stage", 60)
    shoot(page, "make")
    page.click("#stop")
    over(page, "#stage", "Stopped")
    for width, height in ((1366, 768), (1280, 1000)):
        page.set_viewport_size({"width": width, "height": height})
        frame, shown = (still(page, page.locator(f"#stage {part}").first) for part in (".picture", "img"))
        assert shown["height"] <= frame["height"] + 1, "the picture is cut off, or lies on its caption"
    kept = page.get_attribute("#stage img", "src")
    assert kept.startswith("data:image/png")
    assert page.outside == [], "the page asked other hosts"
    page.close()

    server.restart()
    page = visit()
    open_tab(page, "History")
    page.locator("#history button:has(img)").first.click()
    page.wait_for_selector("#history-stage img")
    assert page.get_attribute("#history-stage img", "src") == kept
    page.click("#history-open")
    page.wait_for_function("night => document.querySelector('#prompt textarea').value === night", arg=NIGHT)


def test_the_form_follows_the_method(visit):
    page = visit()
    page.get_by_label("Method").first.click()
    page.get_by_role("option", name="clipstyler").first.click()
    page.wait_for_function("document.querySelector('#start-image')?.innerText.includes('this method needs one')")
    assert page.locator(".toast-body").count() == 0


def test_a_mask_is_painted_and_the_photo_stylised(visit, server, tmp_path):
    page = visit()
    open_tab(page, "Edit")
    page.locator("#edit-photo input[type=file]").first.set_input_files(photo(tmp_path / "photo.png"))
    page.wait_for_function("!document.querySelector('#edit-photo').innerText.includes('Drop a photo')")
    canvas = page.locator("#edit-photo canvas").first
    box = still(page, canvas)
    across, down = box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.5
    page.mouse.move(across, down)
    page.mouse.down()
    for step in range(1, 12):
        page.mouse.move(across + step * box["width"] * 0.025, down + (step % 3) * 4)
    page.mouse.up()
    page.fill("#edit-prompt textarea", "a mosaic of coloured tiles")
    typed(page, "#edit-side input[type=number]", 192)
    typed(page, ".setting-steps input >> visible=true", 25)
    page.click("#edit-start")
    over(page, "#edit-stage")
    page.wait_for_selector("#edit-slider img")
    shoot(page, "edit")
    made = max(server.runs.glob("*/recipe.json"), key=os.path.getmtime).read_text()
    assert '"mask": "' in made and "uploads" in made, "the painted mask reached the method"


def test_bad_uploads_are_refused_in_one_line(visit, server, tmp_path):
    page = visit()
    page.locator("button", has_text="image prompts").first.click()
    text = tmp_path / "text.png"
    text.write_text("no picture at all")
    box = page.locator("#start-image input[type=file]").first
    box.set_input_files(bomb(tmp_path / "bomb.png"))
    refused(page, "too many pixels")
    box.set_input_files(text)
    refused(page, "no picture")
    plain = photo(tmp_path / "a.png").read_bytes()
    box.set_input_files({"name": "../../evil.png", "mimeType": "image/png", "buffer": plain})
    refused(page, "no plain name")
    assert not list(server.folder.rglob("*evil*"))
    page.fill("#prompt textarea", "@/etc/passwd")
    page.click("#start")
    refused(page, "names a file")


def test_two_visitors_at_once_both_finish(visit):
    pages = [visit(), visit(width=390, height=844, scheme="dark")]
    for page, prompt in zip(pages, ("a castle on a hill", "a bicycle"), strict=True):
        ask(page, prompt)
    for page in pages:
        page.click("#start")
    for page in pages:
        over(page, "#stage")
    pages[1].locator("#stage").scroll_into_view_if_needed()
    shoot(pages[1], "narrow-dark", top=False)


def test_a_closed_tab_loses_nothing(visit):
    page = visit()
    ask(page, "a lighthouse by the sea")
    page.click("#start")
    frames(page, 1)
    page.close()
    page = visit()
    open_tab(page, "History")
    page.locator("#history button:has(img)").first.click()
    page.wait_for_selector("#history-stage img")
    page.wait_for_function("document.querySelector('#history-details').innerText.includes('Done')")
    assert "a lighthouse by the sea" in page.inner_text("#history-details")


def test_pictures_are_compared_with_texts_and_models_verified(visit):
    page = visit()
    open_tab(page, "Compare")
    pictures = [SHOTS.parent / "pictures" / f"{name}.png" for name in ("sunset", "cheese-cake", "starry-night")]
    page.locator("#compare-pictures input[type=file]").set_input_files(pictures)
    page.fill("#compare-texts textarea", "a sunset over the sea\ncheese cake\na painting of a starry night sky")
    sent(page, "#compare-pictures", 3)
    page.click("#compare-score")
    page.wait_for_selector("#compare-table table")
    best = page.locator("#compare-table tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].findIndex(cell => cell.matches('.best')))"
    )
    assert best == [0, 1, 2], "each picture is most like the words it was made from"
    page.click("#compare-where")
    page.wait_for_selector("#compare-heat img")
    shoot(page, "compare")
    open_tab(page, "Models")
    page.click("#verify")
    page.wait_for_function("document.querySelector('#models').innerText.includes('sha256')")
    shoot(page, "models")


def test_a_batch_of_three_photos_one_of_them_broken(visit, server, tmp_path):
    page = visit(height=1100)
    open_tab(page, "Batch")
    broken = tmp_path / "broken.png"
    broken.write_text("no picture at all")
    photos = [photo(tmp_path / "flower.png"), broken, photo(tmp_path / "palace.png", "china")]
    page.locator("#batch-photos input[type=file]").set_input_files(photos)
    sent(page, "#batch-photos", 3)
    page.fill("#batch-styles textarea", "a mosaic of coloured tiles\na pencil drawing")
    typed(page, "#batch-steps input", 12)
    typed(page, "#batch-side input", 128)
    page.click("#batch-start")
    page.wait_for_function("document.querySelector('#batch-table [role=status]')?.innerText.startsWith('Done')")
    rows = page.locator("#batch-table tbody tr").all_inner_texts()
    assert len(rows) == 5 and sum("done" in row for row in rows) == 4, rows
    assert any("broken.png" in row and "no picture" in row for row in rows), rows
    page.wait_for_selector("#batch-sheet img")
    with page.expect_download() as download:
        page.locator("#batch-zip a").first.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert {"manifest.jsonl", "contact-sheet.png"} <= set(archive.namelist()) and len(archive.namelist()) == 6
    shoot(page, "batch")
    page.close()

    server.restart()
    page = visit()
    open_tab(page, "Batch")
    page.locator("#batch-earlier input").click()
    page.get_by_role("option").first.click()
    page.wait_for_selector("#batch-sheet img")
    assert page.locator("#batch-table tbody tr").all_inner_texts() == rows
