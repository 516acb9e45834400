"""What tests of the page do with it: they open tabs, fill in, wait, and take its picture."""

from pathlib import Path

from PIL import Image

SHOTS = Path(__file__).parents[2] / "docs/app"
DRAWN = {  # tab -> what is drawn last in it
    "Make": "#variations",
    "Edit": "#edit-advanced",
    "Batch": "#batch-earlier",
    "Compare": "#compare-where",
    "History": "#history-delete",
    "Models": "#verify",
}


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


def over(page, stage: str, word: str = "Done", *, run: str = "") -> None:
    """Waits until the stage shows a picture that is over, of that run if one is named."""
    page.wait_for_function(
        """([stage, word, run]) => {
            const figure = document.querySelector(stage + " figure");
            return (!run || figure?.dataset.run === run) && figure?.querySelector("p")?.innerText.startsWith(word);
        }""",
        arg=[stage, word, run],
    )
