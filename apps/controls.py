"""From an `Option` of a Settings model to a control of the page, and back to values.  Knows no method."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import gradio as gr

from apps import boxes, uploads, words
from clipguide.errors import UserError
from clipguide.options import OWN_GROUP, Option, show
from clipguide.weights import Checkpoint

DRAWINGS = re.compile(r"\b(SVG|OBJ|PLY|GLB|mesh)\b")  # in the help of a path field that takes no picture
NARROW = 190  # px of the narrowest control: two stand side by side
SLIDER_STEPS = 1024  # a wider range of whole numbers is typed
SLIDER_RANGE = 4.0  # a wider range of fractions is typed


class Catalogue:
    """The models that text fields may name: those of the manifest that lie here, by kind."""

    def __init__(self, manifest: Mapping[str, Checkpoint]) -> None:
        self._manifest = manifest

    def names(self, kind: str) -> list[str]:
        return [name for name, entry in self._manifest.items() if entry.kind == kind and entry.folder]

    def like(self, option: Option) -> list[str]:
        """The models a setting may name: of its default's kind, or of the kind it is called after."""
        entry = self._manifest.get(option.default) if isinstance(option.default, str) else None
        return self.names(entry.kind if entry else option.name)


def medium(option: Option) -> Literal["picture", "drawing", "folder"]:
    """What a path field takes, by its help.  Folders cannot be sent."""
    if re.search(r"\bfolder\b", option.help):
        return "folder"
    return "drawing" if DRAWINGS.search(option.help) else "picture"


def grouped(options: Sequence[Option]) -> Iterator[tuple[str, list[Option]]]:
    """The settings by their headings: what the method alone can be told first, then in the order of its models."""
    groups: dict[str, list[Option]] = {OWN_GROUP: []}
    for option in options:
        groups.setdefault(option.group, []).append(option)
    return ((name, members) for name, members in groups.items() if members)


def folded(options: Sequence[Option], values: Mapping[str, Any], catalogue: Catalogue, root: Path) -> list[Any]:
    """A fold for each group, the first one open; the controls in the order of `options`.  values: by name."""
    made = {}
    for number, (group, members) in enumerate(grouped(options)):
        with gr.Accordion(group, open=number == 0, elem_classes="group"), gr.Row(elem_classes="settings"):
            for option in members:
                value = values.get(option.name, option.default)
                made[option.name] = control(option, value, catalogue, root)
    return [made[option.name] for option in options]


def control(option: Option, value: Any, catalogue: Catalogue, root: Path) -> gr.components.Component:
    """The control of a setting, with its range, its help and a value."""
    label = words.label(option.name, option.help)
    told = {"label": label, "info": words.explain(option.help), "interactive": True, "min_width": NARROW}
    told["elem_classes"] = [f"setting-{option.name}"]  # for style sheets and tests
    models = catalogue.like(option)
    if option.kind == "bool":
        return gr.Checkbox(bool(value), **told)
    if option.kind == "choice" or models:
        choices = list(option.choices) or [name for name in dict.fromkeys([option.default, *models]) if name]
        return gr.Dropdown(choices, value=value if value in choices else option.default, **told)
    if option.kind in ("int", "float") and not option.optional:
        return _number(option, value, told)
    if option.kind == "path":
        said = f"{label}: {told.pop('info')}"
        if medium(option) == "picture":
            return boxes.Picture(root, said, value=value)
        return gr.File(**told | {"label": said}, file_count="single", height=120)
    return gr.Textbox("" if value is None else show(value), max_lines=1, **told)


def _number(option: Option, value: Any, told: dict[str, Any]) -> gr.components.Component:
    whole = option.kind == "int"
    if option.low is not None and option.high is not None:
        if option.high - option.low <= (SLIDER_STEPS if whole else SLIDER_RANGE):
            step = 1 if whole else 0.01
            if not whole and 0 < abs(value) < 0.05:
                step = 0.001
            return gr.Slider(option.low, option.high, value, step=step, **told)
    precision, step = (0, 1) if whole else (None, 0.01)
    return gr.Number(value, precision=precision, minimum=option.low, maximum=option.high, step=step, **told)


def values(options: Sequence[Option], given: Sequence[Any], catalogue: Catalogue, root: Path) -> dict[str, Any]:
    """What the controls say, by name; what is left empty is left out.  UserError as `checked`."""
    found: dict[str, Any] = {}
    for option, value in zip(options, given, strict=True):
        if value is None or value == "":
            continue
        if option.kind == "path" and medium(option) == "drawing":
            value = str(uploads.keep(root, value, drawing=True))
        found[option.name] = checked(option, value, catalogue, root)
    return found


def checked(option: Option, value: Any, catalogue: Catalogue, root: Path) -> Any:
    """A value that opens no file but an upload that is kept in `root`.  UserError for any other."""
    label = words.label(option.name, option.help)
    if value is None:  # as a recipe has it
        return None
    if option.kind == "path":
        if not isinstance(value, str) or not uploads.kept(root, Path(value)) or not Path(value).is_file():
            raise UserError(f"{label}: files are only taken as uploads")
        return str(value)
    if option.kind == "int" and isinstance(value, float):
        return int(value)
    if option.kind not in ("text", "size") or not isinstance(value, str):
        return value
    models = catalogue.like(option)
    if models and any(re.split("[:@]", part)[0].strip() not in models for part in value.split(",")):
        raise UserError(f"{label}: there is no '{value}' here; there are: {', '.join(models)}")
    return uploads.plain(label, value)
