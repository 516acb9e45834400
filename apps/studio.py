"""What every tab needs: the models, the runs, the work at hand, and the plan of what a visitor asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from apps import uploads
from apps.controls import Catalogue, medium
from apps.runner import Job, Runner
from apps.safety import Screen
from clipguide import api, runs, weights
from clipguide.brief import parse_prompt
from clipguide.errors import UserError
from clipguide.methods import DEFAULT, EXAMPLES, table
from clipguide.options import Common, Option, options
from clipguide.weights import Checkpoint, Models

OWN_PLACE = ("size", "seed", "init")  # settings of every method that have a place of their own on the page
AWAY = -0.3  # weight of what is left out, and of a weight that is written there


@dataclass(frozen=True, slots=True)
class Studio:
    """One server's models, runs and workers."""

    models: Models
    root: Path  # of the runs
    runner: Runner
    screen: Screen

    @property
    def known(self) -> dict[str, Checkpoint]:
        """The networks by name, those with them that the user trained."""
        return weights.kept() | dict(self.models.manifest)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.known)

    def offered(self) -> dict[str, str]:
        """Method -> one line, without those that want a folder of the server, or a kept network that is not here."""
        return {name: line for name, line in methods().items() if not _wants_folder(name) or self._keeps(name)}

    def _keeps(self, method: str) -> bool:
        """Whether a network lies here that a setting of the method, which is called after its kind, can name."""
        return any(self.catalogue.names(option.name) for option in own_options(method) if option.default is None)

    def run(self, name: str) -> runs.Run:
        """The run of that name.  A name is compared with those that are there, and never made into a path."""
        if not name:
            raise UserError("no picture was made here yet; press Start first")
        for run in runs.every(self.root):
            if run.folder.name == name:
                return run
        raise UserError(f"there is no run '{name}' any more; choose another")

    def drawn(self, run: runs.Run) -> Path:
        """Its picture.  UserError while it is being drawn, and where nothing was."""
        job = self.runner.find(run.folder.name)
        if job is not None and not job.over:
            raise UserError("the picture is still being drawn; wait for it, or press Stop first")
        if not run.picture.exists():
            raise UserError(f"'{run.folder.name}' has no picture; press Start")
        return run.picture

    def start(self, texts: Sequence[str], method: str, values: Mapping[str, Any], *, video: bool = True) -> Job:
        """Puts a picture in the line.  UserError names what is refused."""
        return self.start_all(texts, method, [values], video=video)[0]

    def start_all(
        self, texts: Sequence[str], method: str, values: Sequence[Mapping[str, Any]], *, video: bool = True
    ) -> list[Job]:
        """A picture of each of the values, all of them or none."""
        return self.runner.submit(*[api.plan(texts, method or None, each) for each in values], video=video)

    def resume(self, run: runs.Run, *, video: bool = True) -> Job:
        """Goes on with a run that was stopped, to the picture that it would have become."""
        if run.finished:
            raise UserError(f"'{run.folder.name}' is finished; start again from its picture instead")
        return self.runner.resume(api.plan_again(run.recipe), run, video=video)


def methods() -> dict[str, str]:
    """Method -> one line: ours, and those of installed packages that can be loaded."""
    return {name: line for name, (_, line) in table().items() if _loads(name)}


def _loads(name: str) -> bool:
    try:
        return bool(api.method(name).Settings)
    except (UserError, AttributeError):
        return False


def _wants_folder(method: str) -> bool:
    return any(option.kind == "path" and medium(option) == "folder" for option in options(api.method(method).Settings))


def own_options(method: str) -> list[Option]:
    """The settings that a method's page shows: its own, and what is left of those of every method."""
    common = [option for option in options(Common) if option.name not in OWN_PLACE]
    own = [*options(api.method(method).Settings), *common]
    return [option for option in own if option.kind != "path" or medium(option) != "folder"]


def example(method: str) -> str:
    """A prompt that shows what the method is good at."""
    return EXAMPLES.get(method, EXAMPLES[DEFAULT])


def needs_photo(method: str) -> Literal["never", "may", "must"]:
    """Whether the method starts from a photo."""
    return getattr(api.method(method).Settings, "photo", "may")  # a plugin may say nothing


def texts(root: Path, prompt: str, negative: str = "", pictures: Sequence[str] = (), weight: float = 1.0) -> list[str]:
    """The prompts of the page's fields, in the grammar of `clipguide.brief`.  UserError for one that names a file."""
    prompts = [uploads.prompt(prompt, root).strip()] if prompt.strip() else []
    prompts += [_away(part) for part in uploads.prompt(negative, root).split("|") if part.strip()]
    return prompts + [f"@{path}:{weight:g}" for path in pictures]


def _away(part: str) -> str:
    """A prompt to move away from: a weight says how much more than usual; one below 0 counts as it is."""
    prompt = parse_prompt(part)
    weight = prompt.weight if prompt.weight < 0 else AWAY * prompt.weight
    stop = f":{prompt.stop:g}" if prompt.stop else ""
    return f"{prompt.text or f'@{prompt.image}'}:{weight:g}{stop}"
