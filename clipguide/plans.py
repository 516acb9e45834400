"""A picture that is wholly described and checked before any network is opened."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor

from clipguide import hashtags, images
from clipguide.brief import Brief, parse_prompts, placed, told
from clipguide.core import Step
from clipguide.encoders import read_judges, rename_judges
from clipguide.errors import UserError
from clipguide.methods import DEFAULT, METHODS, table
from clipguide.models import upscaler
from clipguide.options import Common, Guided, Settings, split, validate
from clipguide.scores import Scorer
from clipguide.weights import VGG, Models, absolute

# settings that name a network -> its kind; those of `clip` are judges, several may be
NETWORKS = {"mask_clip": "clip", "features": "clip", "vqgan": "vqgan", "forward": "forward", "restyler": "restyler"}


def method(name: str) -> ModuleType:
    """The method's module, with its `Settings` and `run`.  UserError for an unknown name, or a broken plugin."""
    methods = METHODS if name in METHODS else table()
    if name not in methods:
        raise UserError(f"unknown method '{name}'; there are: {', '.join(methods)}")
    try:
        return importlib.import_module(methods[name][0])
    except Exception as error:
        if name in METHODS:
            raise
        raise UserError(f"the method '{name}' ({methods[name][1]}) cannot be loaded: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Plan:
    """A picture that is wholly described and checked, before any network is opened."""

    method: str
    texts: tuple[str, ...]
    common: Common
    settings: Settings
    brief: Brief

    @property
    def recipe(self) -> dict[str, Any]:
        """All that makes the picture again, in JSON's types."""
        settings = self.common.model_dump(mode="json") | self.settings.model_dump(mode="json")
        made_by = {"version": version("clipguide"), "method": self.method}
        return {**made_by, "prompts": list(self.texts), "settings": settings}

    @property
    def film_every(self) -> int:
        """Steps between the frames of a method that makes a film; 0 for any other."""
        return getattr(self.settings, "frame_every", 0)

    @property
    def networks(self) -> set[tuple[str, str]]:
        """(name, kind) of those that were named, and not by default, as `Models.find` takes them."""
        named = self.settings.model_dump(include=set(NETWORKS), exclude_defaults=True, exclude_none=True)
        found = {(named[field], NETWORKS[field]) for field in named if named[field] != VGG}
        judges = read_judges(self.settings.clip) if isinstance(self.settings, Guided) else []
        return found | {(name, "clip") for name, _, _ in judges}

    def steps(self, models: Models) -> Iterator[Step]:
        """Runs the method; see `core.optimise`.  UserError for a network that is not here, before any is opened."""
        for name, kind in sorted(self.networks):
            models.find(name, kind)
        return method(self.method).run(self.brief, self.settings, models)

    def finished(self, image: Tensor) -> Tensor:
        """The result (B, 3, H, W) as it is wanted: larger, if so."""
        return upscaler.upscale(image, self.common.upscale, self.common.upscaler)

    def scorer(self, models: Models) -> Scorer | None:
        """Scores by the judges that guide; None for a method without any, and without prompts that weigh.

        A method may say by `scored(prompts, settings)` what its prompts ask the whole picture to be like.
        """
        prompts, module = told(self.brief.prompts, 1.0), method(self.method)
        if not isinstance(self.settings, Guided) or not any(prompt.weight for prompt in prompts):
            return None
        if hasattr(module, "scored"):
            prompts = module.scored(prompts, self.settings)
        return Scorer(models.judges(self.settings.clip), prompts)


def plan(texts: Sequence[str], method_name: str | None = None, values: Mapping[str, Any] | None = None) -> Plan:
    """Checks prompts and settings by name.  UserError names what is refused, and what is allowed.

    method_name: None leaves it to the prompts' hashtags, and to `DEFAULT` where they say nothing.  Given values win
    over those of hashtags.  Files are held by their absolute paths: a recipe means the same in every folder.
    """
    tagged = hashtags.read(texts)
    texts, method_name = tagged.texts, tagged.choose(method_name or tagged.method or DEFAULT)
    model = method(method_name).Settings
    common_values, own_values = split({**tagged.settings, **(values or {})}, [Common, model])
    common, settings = _placed(validate(Common, common_values)), _placed(validate(model, own_values))
    if common.init is not None:
        images.read(common.init, common.size)  # refuses a bad picture before anything is opened
    _check_upscaling(common, getattr(model, "photo", "may") == "must")
    texts = tuple(map(placed, texts))
    prompts = parse_prompts(texts) if texts or getattr(model, "needs_prompt", True) else ()
    if any(prompt.chapter[1] > 1 for prompt in prompts) and not getattr(model, "stories", False):
        raise UserError(f"--method {method_name} tells no stories; leave out ' ^ ', or take another method")
    brief = Brief(prompts, common.size, common.seed, common.batch, common.seconds, common.init)
    if isinstance(settings, Guided):
        read_judges(settings.clip)
    if hasattr(method(method_name), "check"):
        method(method_name).check(brief, settings)
    return Plan(method_name, texts, common, settings, brief)


def _placed(settings: Settings) -> Any:
    """The settings, with absolute paths.  UserError for one that leads nowhere."""
    paths = {name: value.absolute() for name, value in settings if isinstance(value, Path)}
    for name, path in paths.items():
        if not path.exists():
            raise UserError(f"--{name.replace('_', '-')} {path} is not there; give one that exists")
    networks = {name: absolute(value, NETWORKS[name]) for name, value in settings if name in NETWORKS and value}
    if isinstance(settings, Guided):
        networks["clip"] = rename_judges(settings.clip, absolute)
    update = {name: value for name, value in {**paths, **networks}.items() if value != getattr(settings, name)}
    return settings.model_copy(update=update) if update else settings


def _check_upscaling(common: Common, restyles: bool) -> None:
    """UserError where the result could not be upscaled, or not be read again.

    restyles: the result is as large as the photo, not as `size` says.
    """
    if common.upscale == 1:
        return
    upscaler.check_installed()
    height, width = images.read(common.init).shape[-2:] if restyles and common.init else common.size[::-1]
    if width * height * common.upscale**2 > images.MAX_PIXELS:
        larger = f"{common.upscale * width} x {common.upscale * height} px"
        raise UserError(f"--upscale {common.upscale} would make {larger}; at most 64 million can be read again")


def plan_again(
    recipe: Mapping[str, Any],
    changes: Mapping[str, Any] | None = None,
    *,
    method_name: str | None = None,
    texts: Sequence[str] = (),
) -> Plan:
    """The plan of a recipe (of a run, or of a picture's metadata) with changed settings, another method, other prompts.

    Another method keeps what was set on purpose and means the same there.  UserError as `plan`, or for no recipe.
    """
    try:
        old, texts, values = recipe["method"], list(texts or recipe["prompts"]), dict(recipe["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"the recipe is incomplete ({error}); give a picture or run that clipguide wrote") from None
    if method_name not in (None, old):
        values = _shared(values, method(old).Settings, method(method_name).Settings)
    elif changes and "preset" in changes:  # else what the old preset set would win over the new one
        values = {name: value for name, value in values.items() if name not in method(old).Settings.preset_names()}
    return plan(texts, method_name or old, values | dict(changes or {}))


def _shared(values: Mapping[str, Any], old: type[Settings], new: type[Settings]) -> dict[str, Any]:
    """Those of the old method's values that are not its defaults, and come from a model that both methods build on."""
    chosen = {}
    for model, part in zip((Common, old), split(values, [Common, old]), strict=True):
        chosen |= validate(model, part).model_dump(mode="json", exclude_defaults=True)
    parents = [Common, *(parent for parent in old.__mro__ if parent in new.__mro__ and issubclass(parent, Settings))]
    names = {name for parent in parents for name in parent.model_fields}
    return {name: value for name, value in chosen.items() if name in names}
