"""The fields of the Make tab that every method has, and what an opened run puts into the form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from apps import boxes, uploads
from apps.controls import control
from apps.order import PRESETS
from apps.studio import Studio, own_options
from clipguide.methods import DEFAULT
from clipguide.options import Option

STEPS = "steps"  # the setting that is not folded away; the quality scales its default
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Ask:
    """The fields in the page's order."""

    prompt: gr.Textbox
    negative: gr.Textbox
    image_prompts: gr.File
    image_weight: gr.Slider
    method: gr.Dropdown
    preset: gr.Radio
    steps: gr.Number
    aspect: gr.Dropdown
    side: gr.Slider
    seed: gr.Number
    start: boxes.Picture
    video: gr.Checkbox

    @property
    def inputs(self) -> list[gr.components.Component]:
        return [getattr(self, name) for name in self.__dataclass_fields__ if name != "preset"]


def steps_control(studio: Studio) -> gr.Number:
    """The field of the steps, as the first method has it."""
    return control(_steps(DEFAULT), _steps(DEFAULT).default, studio.catalogue, studio.root)


def steps(method: str, preset: str = "standard", filled: Mapping[str, Any] = NOTHING) -> dict:
    """The update of that field for a method and a quality, or as an opened run has it."""
    option = _steps(method)
    if option is None:
        return gr.update(visible=False)
    known = filled.get(STEPS) if filled.get("method") == method else None
    return gr.update(visible=True, value=round(option.default * PRESETS[preset][0]) if known is None else known)


def _steps(method: str) -> Option | None:
    return next((option for option in own_options(method) if option.name == STEPS), None)


def filled(root: Path, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What the form remembers of a run that is opened: its method and settings, without the files of a command line."""
    settings = recipe["settings"].items()
    kept = {name: value for name, value in settings if not _names_a_file(value) or uploads.kept(root, Path(value))}
    return kept | {"method": recipe["method"]}


def _names_a_file(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()
