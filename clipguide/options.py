"""Settings: one pydantic field is the flag, its help, the check of a YAML file, and the control of the web page."""

from __future__ import annotations

import argparse
import os
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from clipguide.errors import UserError

MIN_SIDE, MAX_SIDE = 16, 4096
SHORT = {"out": "-o"}  # flags that are also written so
OWN_GROUP = "The picture"  # the heading of what a method alone can be told


def _parse_size(value: Any) -> Any:
    if isinstance(value, int):
        return value, value
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s*(?:[xX×,]\s*(\d+)\s*)?", value)
    if not match:
        raise ValueError("a size is WIDTHxHEIGHT in px, such as 256x256, or one number for a square")
    return int(match[1]), int(match[2] or match[1])


Side = Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)]
Upscaler = Annotated[
    Literal["fast", "drawing", "photo"],
    Field(description="the network of --upscale: clean lines; lines and brush marks; skin, leaves and grain"),
]
Size = Annotated[tuple[Side, Side], BeforeValidator(_parse_size)]


class Settings(BaseModel):
    """What a method can be told.  Immutable; unknown names and values out of range are refused.

    group: the heading of a model's own fields on a form; `OWN_GROUP` where a model says none.
    """

    group: ClassVar[str]
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # what each value of the field "preset" sets, if any

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        """What is given wins over the preset."""
        return {**cls.presets.get(values.get("preset"), {}), **values} if cls.presets else values

    @field_validator("*")
    @classmethod
    def _at_home(cls, value: Any) -> Any:
        """~ is the user's folder, where no shell has said so."""
        return Path(os.path.expanduser(value)) if isinstance(value, Path) else value

    @classmethod
    def preset_names(cls) -> set[str]:
        """The fields that some preset sets."""
        return {name for preset in cls.presets.values() for name in preset}


class Common(Settings):
    """What every method can be told."""

    group: ClassVar = "The run"
    size: Size = Field((256, 256), description="width x height of the picture in px")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="the dice: the same seed gives the same picture")
    batch: int = Field(1, ge=1, le=64, description="pictures made at once")
    seconds: float | None = Field(None, gt=0, description="spend this many seconds instead of a number of steps")
    patience: int = Field(0, ge=0, description="stop when the score has not risen for so many steps; 0: never")
    init: Path | None = Field(None, description="an image file to start from")
    upscale: int = Field(1, ge=1, le=4, description="how many times larger the result is drawn, by Real-ESRGAN; 1: not")
    upscaler: Upscaler = "fast"


class Output(Settings):
    """Where the picture is made and what is written; none of it is part of a picture's recipe."""

    out: Path | None = Field(None, description="also write the picture here; an existing file is kept, a number added")
    runs: Path = Field(Path("outputs"), description="the folder in which each run gets a folder of its own")
    save_every: int = Field(0, ge=0, description="keep a frame every so many steps; 0: none")
    video: bool = Field(False, description="make a video of the run")
    video_kind: Literal["mp4", "gif"] = Field("mp4", description="what the video of --video is")
    fps: int = Field(24, ge=1, le=120, description="frames a second of the video")
    device: str = Field("auto", description="where it is computed: auto, cpu, cuda or mps")


CLIPS = "the CLIPs that judge, as NAME[:WEIGHT][@SHARE], joined by commas; @0.2: from a fifth of the run on"


class Guided(Settings):
    """What every method that follows a CLIP can be told."""

    group: ClassVar = "What CLIP sees"
    needs_prompt: ClassVar[bool] = True  # False: a method that can do without words
    photo: ClassVar[Literal["never", "may", "must"]] = "may"  # whether a method starts from a photo (`Common.init`)
    stories: ClassVar[bool] = False  # whether prompts may follow each other ("a ^ b")

    steps: int = Field(100, ge=0, le=100_000, description="updates of the picture")
    clip: str = Field("clip-mini", description=CLIPS)
    cutouts: int = Field(16, ge=1, le=1024, description="views of the picture that CLIP judges in a step")
    chunk: int = Field(16, ge=1, le=1024, description="views judged at once; fewer need less memory")
    templates: Literal["none", "picture", "photo", "painting"] = Field(
        "none", description="sentences a prompt is put into, their embeddings averaged"
    )
    negative_margin: float = Field(
        0.0, ge=-1, le=1, description="cosine below which a prompt of negative weight pushes no more"
    )

    @property
    def chunks(self) -> int:
        return -(-self.cutouts // self.chunk)


@dataclass(frozen=True, slots=True)
class Option:
    """One field of a Settings model, as the command line and the web page need it."""

    name: str
    kind: str  # "int", "float", "bool", "choice", "size", "path", "text"
    default: Any
    help: str
    low: float | None = None  # of a size: of either side
    high: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    group: str = ""  # the heading it stands under on a form

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def options(model: type[Settings]) -> list[Option]:
    """Every field of the model, in order."""
    return [_option(name, field, _group(model, name)) for name, field in model.model_fields.items()]


def _group(model: type[Settings], name: str) -> str:
    """The group of the first model that has the field: a method that changes a default does not move it."""
    owners = [parent for parent in model.__mro__ if name in getattr(parent, "model_fields", ())]
    return vars(owners[-1]).get("group", OWN_GROUP)


def _option(name: str, field: Any, group: str) -> Option:
    annotation, optional = field.annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        optional = True
    marks = [*field.metadata, *getattr(next(iter(get_args(annotation)), None), "__metadata__", ())]
    marks = [inner for mark in marks for inner in getattr(mark, "metadata", [mark])]  # pydantic nests them in Annotated
    limits = {k: v for mark in marks for k in ("ge", "gt", "le", "lt") if (v := getattr(mark, k, None)) is not None}
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    choices = tuple(get_args(annotation)) if get_origin(annotation) is Literal else ()
    return Option(name, _kind(annotation), field.default, field.description or "", low, high, choices, optional, group)


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is tuple:
        return "size"
    return {int: "int", float: "float", bool: "bool", Path: "path"}.get(annotation, "text")


def add_flags(parser: argparse.ArgumentParser, model: type[Settings], title: str) -> None:
    """One flag for each field; a flag that is not given leaves no value, so that YAML and defaults show through."""
    group = parser.add_argument_group(title)
    for option in options(model):
        action: dict[str, Any] = {"default": argparse.SUPPRESS, "help": _help(option)}
        if option.kind == "bool":
            action["action"] = argparse.BooleanOptionalAction
        else:
            action["metavar"] = "|".join(option.choices) or option.kind.upper()
        flags = [SHORT[option.name]] if option.name in SHORT else []
        group.add_argument(*flags, option.flag, dest=option.name, **action)


def _help(option: Option) -> str:
    limits = [("from", option.low), ("to", option.high)]
    notes = [f"{word} {show(value)}" for word, value in limits if value is not None]
    notes += [] if option.default is None else [f"default {show(option.default)}"]
    return (f"{option.help} ({', '.join(notes)})" if notes else option.help).replace("%", "%%")


def show(value: Any) -> str:
    """A value as the command line writes it: (256, 192) is 256x192."""
    return "x".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def validate(model: type[Settings], values: Mapping[str, Any]) -> Any:
    """The model with these values.  UserError names the first value that is refused, and what is allowed."""
    unknown = [name for name in values if name not in model.model_fields]
    if unknown:
        raise UserError(f"unknown setting '{unknown[0]}'; there are: {', '.join(model.model_fields)}")
    for name, value in values.items():
        if isinstance(value, bool) and model.model_fields[name].annotation is not bool:  # to Python True is a 1
            raise UserError(_refusal({"loc": (name,), "msg": "true and false mean nothing here"}, values))
    try:
        return model(**values)
    except ValidationError as error:
        raise UserError(_refusal(error.errors()[0], values)) from None


def _refusal(fault: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    said = fault["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    if not fault["loc"]:  # a rule about several settings
        return said
    name = str(fault["loc"][0])
    given = f" {show(values[name])}" if name in values else ""
    return f"--{name.replace('_', '-')}{given}: {said}"


def split(values: Mapping[str, Any], models: Iterable[type[Settings]]) -> list[dict[str, Any]]:
    """The values that belong to each model.  UserError for a name that belongs to none."""
    models = list(models)
    names = [name for model in models for name in model.model_fields]
    for name in values:
        if name not in names:
            raise UserError(f"unknown setting '{name}'; there are: {', '.join(names)}")
    return [{n: v for n, v in values.items() if n in model.model_fields} for model in models]


def read_yaml(path: Path) -> dict[str, Any]:
    """Settings by name from a YAML file; names may be written with - or _."""
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--config {path}: cannot be read ({error.__class__.__name__}); give a YAML file") from None
    except Exception as error:  # a date such as 2024-13-01, and other values, raise whatever they stumble over
        where = f" in line {error.problem_mark.line + 1}" if getattr(error, "problem_mark", None) else ""
        raise UserError(f"--config {path}: no YAML{where}; write lines such as 'steps: 200'") from None
    if not isinstance(values, dict):
        raise UserError(f"--config {path}: holds a {type(values).__name__}; write lines such as 'steps: 200'")
    return {str(name).replace("-", "_"): value for name, value in values.items()}
