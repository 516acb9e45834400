"""What a run's folder says about it, in words for the page."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from apps import stage, uploads
from apps.runner import Runner
from clipguide import runs
from clipguide.errors import UserError
from clipguide.options import show


def state(run: runs.Run, runner: Runner) -> str:
    """As `Work.state`, whether this server made the run or not; `stage.WORDS` has a word of it for people."""
    job = runner.find(run.folder.name)
    return job.state if job is not None else "done" if run.finished else "stopped"


def details(run: runs.Run, runner: Runner) -> str:
    """The prompt, how the run went, and its settings, as HTML."""
    made, log = recipe(run), run.log()
    job = runner.find(run.folder.name)
    facts = {"state": stage.WORDS[state(run, runner)], "method": made.get("method", "?")}
    if job is not None and job.error:
        facts["why"] = job.error
    if log:
        last = log[-1]
        score = next((entry["score"] for entry in reversed(log) if entry["score"] is not None), None)
        facts |= {"score": "" if score is None else f"{score:.3f}", "time": stage.clock(last["seconds"])}
        facts |= {"step": f"{last['step']} of {last['total']}"}
    curve = stage.curve([(entry["step"], entry["score"]) for entry in log if entry["score"] is not None])
    settings = made.get("settings", {})
    said = html.escape(" | ".join(_short(text) for text in made.get("prompts", [])))
    return (
        f'<h3 class="prompt">{said}</h3><div class="facts">{_rows(facts)}{curve}'
        f"<details><summary>All settings</summary>{_rows(settings)}</details></div>"
    )


def recipe(run: runs.Run) -> dict[str, Any]:
    """The run's recipe; one that cannot be read is empty."""
    try:
        return run.recipe
    except UserError:
        return {}


def has(run: runs.Run, words: list[str]) -> bool:
    """Whether all the words stand in the run's prompts or in its method's name."""
    made = recipe(run)
    text = f"{' '.join(made.get('prompts', []))} {made.get('method', '')}".lower()
    return all(word in text for word in words)


def _rows(facts: Mapping[str, Any]) -> str:
    """A table of names and values, the empty ones and the places of uploads left out."""
    shown = {name: "an upload" if uploads.FOLDER in str(value) else show(value) for name, value in facts.items()}
    rows = (
        f'<tr><th scope="row">{html.escape(name.replace("_", " "))}</th><td>{html.escape(value)}</td></tr>'
        for name, value in shown.items()
        if value not in ("None", "")
    )
    return f"<table>{''.join(rows)}</table>"


def _short(text: str) -> str:
    """A prompt without the long name of an upload."""
    return "an image" + text[text.rfind(":") :] if text.startswith("@") and ":" in text else text
