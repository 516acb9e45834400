"""Models: from a name to a verified network.

A name is a bundled checkpoint (`checkpoints/manifest.toml` lists them), a folder in open_clip's layout, or
`MODEL/TAG` for any model and tag of open_clip (`ViT-B-32/openai`), where the tag may be a weights file.
No checkpoint ever executes code.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipguide.encoders import ClipEncoder, Judge, read_judges
from clipguide.errors import UserError
from clipguide.images import write
from clipguide.models.hub import cached, sha256
from clipguide.models.perceptual import Features, vgg_features
from clipguide.ops.device import pick_device
from clipguide.ops.memory import keep_freed_memory

if TYPE_CHECKING:
    from clipguide.models.bert import Bert
    from clipguide.models.clip import OpenedClip
    from clipguide.models.forward import Forward
    from clipguide.models.vqgan import VQGAN
if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MANIFEST = "manifest.toml"
YOURS = "yours"  # the licence of what the user trained
VGG = "vgg19"  # for `Models.features`
FINDER = "clip-mini-find"  # the bundled CLIP for what a picture from elsewhere shows


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One entry of the manifest.  folder: beside the manifest; None for weights that are fetched when asked for."""

    name: str
    kind: str  # "clip", "vqgan", ...
    licence: str
    about: str
    folder: Path | None = None
    source: str = ""  # MODEL/TAG, for weights that are fetched
    hub: str = ""  # their address, as open_clip's list of tags has it
    files: Mapping[str, str] = field(default_factory=dict)  # file name -> sha256

    @property
    def place(self) -> Path | None:
        """The folder of its files, or the file that was fetched; None when it is not here."""
        return self.folder or (cached(self.hub, os.environ.get("CLIPGUIDE_CACHE")) if self.hub else None)

    @property
    def bytes(self) -> int:
        """What lies on disk; 0 for weights that are not here."""
        place = self.place
        paths = [place / name for name in self.files] if self.folder else [place] if place else []
        return sum(path.stat().st_size for path in paths if path.is_file())

    @property
    def missing(self) -> list[Path]:
        """The files that should lie in its folder, and do not."""
        paths = [self.folder / name for name in self.files] if self.folder else []
        return [path for path in paths if not path.is_file()]

    @property
    def remedy(self) -> str:
        """What to do when a file is missing or damaged."""
        return "train it again" if self.licence == YOURS else "install clipguide again"


def checkpoints_folder() -> Path:
    """Where the bundled weights lie: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "checkpoints", package.parent / "checkpoints"):
        if (folder / MANIFEST).is_file():
            return folder
    raise UserError(f"no checkpoints/{MANIFEST} beside {package}; install clipguide again")


def read_manifest(folder: Path) -> dict[str, Checkpoint]:
    """The checkpoints that a manifest.toml lists.  UserError when it cannot be read."""
    path = folder / MANIFEST
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _checkpoint(folder, name, entry) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "mend it, or delete it" if folder == kept_folder() else "install clipguide again"
        raise UserError(f"{path} cannot be read ({error}); {remedy}") from None


def kept_folder() -> Path:
    """Where networks lie that the user trained: $CLIPGUIDE_DATA, or clipguide in the desktop's folder for data."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(os.environ.get("CLIPGUIDE_DATA") or Path(data) / "clipguide")


def known(folder: Path | None = None) -> dict[str, Checkpoint]:
    """Every network by name: the bundled ones (of `folder`), then those that the user trained."""
    return kept() | read_manifest(folder or checkpoints_folder())


def kept() -> dict[str, Checkpoint]:
    """The networks that the user trained, by name."""
    folder = kept_folder()
    return read_manifest(folder) if (folder / MANIFEST).is_file() else {}


def absolute(name: str, kind: str = "clip") -> str:
    """The name of a network as it means the same in every folder: a path, or the file of MODEL/FILE, made absolute."""
    model, slash, file = name.partition("/")
    entry = known().get(name)
    if name == VGG or (entry is not None and entry.kind == kind):
        return name
    with suppress(OSError, RuntimeError, ValueError):  # what can be no path is refused where networks are found
        if Path(name).expanduser().exists():
            return str(Path(name).expanduser().absolute())
        if slash and Path(file).is_file():
            return f"{model}/{Path(file).absolute()}"
    return name


def may_keep(name: str) -> bool:
    """Whether a trained network may be called so: a plain word that is no bundled one's name."""
    return bool(re.fullmatch(r"\w[\w.-]*", name)) and name not in read_manifest(checkpoints_folder())


def keep(name: str, kind: str, about: str, files: Mapping[str, bytes]) -> Path:
    """Puts a trained network among the known ones, in place of one that had its name; returns its folder.

    UserError for a name that is no plain word, or that a bundled network has.
    """
    if not may_keep(name):
        raise UserError(f"'{name}' cannot name a network; take letters, digits and dashes, and no bundled one's name")
    root = kept_folder()
    (root / name).mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        write(root / name / file, data)
    entries = kept()
    digests = {file: sha256(root / name / file) for file in files}
    entries[name] = Checkpoint(name, kind, YOURS, about, root / name, files=digests)
    write(root / MANIFEST, "\n".join(_entry(entry) for entry in entries.values()).encode())
    return root / name


def _entry(checkpoint: Checkpoint) -> str:
    """TOML; its quoted strings are written as JSON's."""
    files = ", ".join(f"{json.dumps(file)} = {json.dumps(digest)}" for file, digest in checkpoint.files.items())
    facts = {"kind": checkpoint.kind, "licence": checkpoint.licence, "about": checkpoint.about}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()]
    return "\n".join([f"[{json.dumps(checkpoint.name)}]", *lines, f"files = {{ {files} }}", ""])


def _checkpoint(folder: Path, name: str, entry: Mapping[str, Any]) -> Checkpoint:
    files = entry.get("files", {})
    place = folder / name if files else None
    far = {key: entry.get(key, "") for key in ("source", "hub")}
    return Checkpoint(name, entry["kind"], entry["licence"], entry["about"], place, files=files, **far)


class Models:
    """Opens networks by name, each once, on one device.  On a CPU the process then keeps the memory it frees."""

    def __init__(self, device: str = "auto", folder: Path | None = None) -> None:
        self.device = pick_device(device)
        if self.device.type == "cpu":
            keep_freed_memory()
        self.manifest = read_manifest(folder or checkpoints_folder())
        self._encoders: dict[str, ClipEncoder] = {}
        self._towers: dict[Path, Bert] = {}
        self._vqgans: dict[str, VQGAN] = {}
        self._forwards: dict[str, Forward] = {}

    def encoder(self, name: str) -> ClipEncoder:
        """The CLIP of that name.  UserError when there is none, or its files are missing or damaged."""
        if name not in self._encoders:
            self._encoders[name] = ClipEncoder(self._open_clip(name), name, self.device)
        return self._encoders[name]

    def features(self, name: str) -> Features:
        """The layers that judge content and texture: `VGG`, or the image tower of the CLIP of that name."""
        return vgg_features(self.device) if name == VGG else self.encoder(name).perceptual()

    def vqgan(self, name: str) -> VQGAN:
        """The VQGAN of that name or path, frozen.  UserError when there is none, or its files cannot be read."""
        from clipguide.models.vqgan import open_vqgan

        if name not in self._vqgans:
            self._vqgans[name] = open_vqgan(self.checkpoint(name, "vqgan")).requires_grad_(False).to(self.device)
        return self._vqgans[name]

    def forward(self, name: str) -> Forward:
        """The feed-forward network of that name or path, frozen.  UserError when there is none that can be read."""
        from clipguide.models.forward import open_forward

        if name not in self._forwards:
            self._forwards[name] = open_forward(self.checkpoint(name, "forward")).to(self.device)
        return self._forwards[name]

    def judges(self, names: str) -> list[Judge]:
        """The CLIPs of a setting `clip`, opened; errors as `encoders.read_judges` and `encoder`."""
        return [Judge(self.encoder(name), weight, since) for name, weight, since in read_judges(names)]

    def find(self, name: str, kind: str) -> None:
        """UserError where there is no network of that name and kind.  Opens none, and fetches none."""
        if kind != "clip" or self._tagged(name) is None:
            self.checkpoint(name, kind)

    def checkpoint(self, name: str, kind: str) -> Path:
        """The folder of a bundled or kept checkpoint of that kind, or the folder or file that `name` is the path of."""
        entry = (kept() | self.manifest).get(name)
        if entry is not None and entry.folder is not None and entry.kind == kind:
            if entry.missing:
                raise UserError(f"{entry.missing[0]} is missing; {entry.remedy}")
            return entry.folder
        path = Path(name).expanduser()
        if path.exists():
            return path
        here = [entry.name for entry in (kept() | self.manifest).values() if entry.kind == kind and entry.folder]
        raise UserError(f"there is no {kind} '{name}'; there are: {', '.join(here) or 'none'}; or give a path")

    def _open_clip(self, name: str) -> OpenedClip:
        from clipguide.models.clip import open_folder, open_name

        tagged = self._tagged(name)
        if tagged is not None:
            return open_name(*tagged, cache=os.environ.get("CLIPGUIDE_CACHE"))
        return open_folder(self.checkpoint(name, "clip"), self._towers)

    def _tagged(self, name: str) -> tuple[str, str] | None:
        """(MODEL, TAG) of open_clip, where the name means one."""
        entry = self.manifest.get(name)
        source = entry.source if entry is not None and entry.source else name
        model, slash, tag = source.partition("/")
        here = Path(source).expanduser().exists() or source.startswith((".", "/", "~"))
        return (model, tag) if slash and not here else None
