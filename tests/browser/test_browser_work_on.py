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
    assert page.input_value("#prompt textarea") == "a lighthouse by the sea", "the form is that of the run on the stage"
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


def choose(page, run: str) -> None:
    """Clicks the newest run of that prompt in History, whose name it should have, and waits until it is shown."""
    page.locator("#history button", has_text=run.rstrip("-0123456789").replace("-", " ")).first.click()
    page.wait_for_selector(f'#history-stage [data-run="{run}"], #history-stage [alt="{run}"]')


def make_one_and_draw_another(page) -> None:
    """Makes "a short hill", and has "a long hill" drawn, for longer than anybody waits; both stand in History."""
    ask(page, "a short hill", side=64, steps=3)
    page.click("#start")
    over(page, "#stage")
    ask(page, "a long hill", side=64, steps=90_000)
    page.click("#start")
    page.wait_for_selector("#stage [data-run^=a-long-hill] img")
    open_tab(page, "History")
    newest(page, "a long hill")


def newest(page, prompt: str) -> None:
    """Waits until History lists the newest run, of that prompt."""
    page.locator("#history button:has(img)").first.filter(has_text=prompt).wait_for()


def test_while_one_run_is_watched_another_is_chosen_and_deleted(visit, server):
    page = visit()
    make_one_and_draw_another(page)
    choose(page, "a-long-hill")
    choose(page, "a-short-hill")
    page.click("#history-delete")
    page.locator("#history-sure", has_text="Yes, delete a-short-hill").click()
    page.wait_for_function("document.querySelector('#history-stage').innerText.includes('Choose a run')")
    assert not (server.runs / "a-short-hill").exists() and (server.runs / "a-long-hill").exists()
    page.wait_for_timeout(2500)
    assert "Choose a run" in page.inner_text("#history-stage"), "what was watched before stays away"
    open_tab(page, "Make")
    page.click("#stop")
    over(page, "#stage", "Stopped")


def test_an_opened_run_stays_on_the_stage_while_another_is_drawn(visit, server):
    page = visit()
    make_one_and_draw_another(page)
    drawn = page.get_attribute("#stage figure", "data-run")
    choose(page, "a-short-hill")
    page.click("#history-open")
    page.wait_for_selector('#stage [alt="a-short-hill"]')
    page.wait_for_timeout(2500)
    assert page.locator('#stage [alt="a-short-hill"]').count() == 1, "no frame of the other one takes its place"
    assert page.is_enabled("#start") and page.is_disabled("#stop")
    page.click("#start")
    page.wait_for_selector('#stage [data-run="a-short-hill-2"]')
    open_tab(page, "History")
    newest(page, "a short hill")
    choose(page, drawn)
    page.click("#history-open")
    page.wait_for_selector(f'#stage [data-run="{drawn}"]')
    page.click("#stop:not([disabled])")
    over(page, "#stage", "Stopped", run=drawn)
