"""What people do with the page, in a real browser, with the bundled CLIP.  `make test-app` runs it, top to bottom."""

import json
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHOTS = Path(__file__).parents[2] / "docs/app"
NIGHT = "a painting of a starry night sky"
DRAWN = {  # tab -> what is drawn last in it
    "Make": "#variations",
    "Edit": "#edit-advanced",
    "Batch": "#batch-earlier",
    "Compare": "#compare-where",
    "History": "#history-delete",
    "Models": "#verify",
}
NAMELESS = """() => [...document.querySelectorAll("input, textarea, select, button, [role=slider]")]
    .filter(each => each.offsetParent && each.type !== "file" && each.getAttribute("aria-hidden") !== "true")
    .filter(each => !(each.labels?.length || each.innerText?.trim() || each.title || each.placeholder
        || each.getAttribute("aria-label") || each.getAttribute("aria-labelledby")))
    .map(each => each.outerHTML.slice(0, 200))"""


def shoot(page, name: str, *, top: bool = True) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    if top:
        page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1500)
    path = SHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=False)
    with Image.open(path) as shot:  # 256 colours keep the repository small
        shot.convert("RGB").quantize(256).save(path, optimize=True)


def open_tab(page, name: str) -> None:
    """Opens a tab and waits until it is drawn."""
    page.get_by_role("tab", name=name).click()
    page.wait_for_selector(DRAWN[name])


def typed(page, box: str, value: object) -> None:
    page.locator(box).first.fill(str(value))
    page.keyboard.press("Tab")


def ask(page, prompt: str, *, side: int = 128, steps: int = 30) -> None:
    page.fill("#prompt textarea", prompt)
    typed(page, "#side input[type=number]", side)
    typed(page, ".setting-steps input", steps)


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


def over(page, stage: str, word: str = "Done", *, run: str = "") -> None:
    """Waits until the stage shows a picture that is over, of that run if one is named."""
    page.wait_for_function(
        """([stage, word, run]) => {
            const figure = document.querySelector(stage + " figure");
            return (!run || figure?.dataset.run === run) && figure?.querySelector("p")?.innerText.startsWith(word);
        }""",
        arg=[stage, word, run],
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


def test_history_shows_makes_again_and_deletes(visit, server):
    page = visit()
    open_tab(page, "History")
    page.fill("#history-search textarea, #history-search input", "starry")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#history button img').length === 1")
    page.locator("#history button:has(img)").first.click()
    page.wait_for_selector("#history-stage img")
    page.click("#history-video")
    page.wait_for_function("/video\\s*\\.mp4/.test(document.querySelector('#history-files')?.innerText)")
    page.fill("#history-search textarea, #history-search input", "")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#history button img').length > 3")
    shoot(page, "history")

    page.fill("#history-search textarea, #history-search input", "lighthouse")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#history button img').length === 1")
    page.locator("#history button:has(img)").first.click()
    page.wait_for_function("document.querySelector('#history-details').innerText.includes('lighthouse')")
    count = len(list(server.runs.glob("*/recipe.json")))
    page.click("#history-again")
    over(page, "#stage")
    assert len(list(server.runs.glob("*/recipe.json"))) == count + 1
    open_tab(page, "History")
    page.click("#history-refresh")
    page.locator("#history button:has(img)").first.click()
    page.wait_for_function("document.querySelector('#history-details').innerText.includes('Done')")
    page.click("#history-delete")
    page.click("#history-sure")
    page.wait_for_function("document.querySelector('#history-stage').innerText.includes('Choose a run')")
    assert len(list(server.runs.glob("*/recipe.json"))) == count


def test_a_variation_is_picked_and_refined_and_goes_on_with_another_prompt(visit, server):
    page = visit()
    ask(page, "a red boat", side=64, steps=5)
    page.click("#variations")
    page.wait_for_function("document.querySelectorAll('#four button img').length === 4")
    page.locator("#four button:has(img)").nth(2).click()
    page.click("#refine:not([disabled])")
    over(page, "#stage", run="a-red-boat-5")
    made = json.loads((server.runs / "a-red-boat-5/recipe.json").read_text())["settings"]
    assert made["seed"] == 2 and made["init"], "the third one's seed, from its picture"
    page.fill("#prompt textarea", "a blue boat")
    page.click("#continue")
    over(page, "#stage", run="a-blue-boat")
    assert json.loads((server.runs / "a-blue-boat/recipe.json").read_text())["settings"]["init"]


def test_every_control_has_a_name_and_the_keyboard_starts_a_picture(visit, server):
    page = visit()
    for tab in ("Make", "Edit", "Batch", "Compare", "History", "Models"):
        open_tab(page, tab)
        assert page.evaluate(NAMELESS) == [], tab
    open_tab(page, "Make")
    page.click("#dice")
    page.wait_for_function("document.querySelector('#seed input').value > 0")
    seed = int(page.input_value("#seed input"))
    page.focus("#prompt textarea")
    page.keyboard.type("a red boat <b>&amp;</b>")
    typed(page, "#side input[type=number]", 64)
    typed(page, ".setting-steps input", 3)
    page.focus("#prompt textarea")
    page.keyboard.press("Enter")
    over(page, "#stage")
    assert page.get_attribute("#stage img", "alt") == "a red boat <b>&amp;</b>", "shown as it was typed"
    run = page.get_attribute("#stage figure", "data-run")
    assert json.loads((server.runs / run / "recipe.json").read_text())["settings"]["seed"] == seed, "the dice's number"


def test_settings_are_drawn_when_they_are_asked_for_and_come_back_from_history(visit, server):
    page = visit()
    ask(page, "a green hill", side=64, steps=3)
    page.click("#start")  # nothing is drawn under Advanced settings
    over(page, "#stage")
    page.click("#advanced button")
    typed(page, ".setting-average input[type=number]", 0.5)
    page.click("#start")
    over(page, "#stage", run="a-green-hill-2")
    assert json.loads((server.runs / "a-green-hill-2/recipe.json").read_text())["settings"]["average"] == 0.5
    page.close()

    page = visit()
    open_tab(page, "History")
    page.locator("#history button:has(img)").first.click()
    page.click("#history-open:not([disabled])")
    page.wait_for_function("document.querySelector('#prompt textarea').value === 'a green hill'")
    page.click("#start")
    over(page, "#stage", run="a-green-hill-3")
    made = [json.loads((server.runs / f"a-green-hill-{n}/recipe.json").read_text())["settings"] for n in (2, 3)]
    assert made[0] == made[1], "an opened run is made again as it was"
