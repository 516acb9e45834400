"""How people work on with what test_browser_make.py left: history, variations, settings; it runs after that one."""

import json

import pytest
from pages import ask, open_tab, over, shoot, typed

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
NAMELESS = """() => [...document.querySelectorAll("input, textarea, select, button, [role=slider]")]
    .filter(each => each.offsetParent && each.type !== "file" && each.getAttribute("aria-hidden") !== "true")
    .filter(each => !(each.labels?.length || each.innerText?.trim() || each.title || each.placeholder
        || each.getAttribute("aria-label") || each.getAttribute("aria-labelledby")))
    .map(each => each.outerHTML.slice(0, 200))"""


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
    newest = max(server.runs.glob("*/recipe.json"), key=lambda recipe: recipe.stat().st_mtime).parent.name
    page.wait_for_selector(f'#history-stage [alt="{newest}"]')  # not the one before it, which was done too
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
