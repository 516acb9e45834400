"""What lies on disk of the networks that have names, and whether it is whole."""

from __future__ import annotations

from typing import Any

from clipguide.errors import UserError
from clipguide.models.clip import read_config, text_home
from clipguide.models.hub import sha256, whole
from clipguide.weights import Checkpoint, read_manifest


def faults(checkpoint: Checkpoint) -> list[str]:
    """What is wrong with a checkpoint's files or with the text tower it shares, a line each."""
    if checkpoint.folder is None and checkpoint.place is not None and not whole(checkpoint.place):
        return [f"{checkpoint.place} is damaged: its sha256 is not the hub's; delete it and pull it again"]
    found = [f"{path} is missing; {checkpoint.remedy}" for path in checkpoint.missing]
    for name, expected in checkpoint.files.items():
        path = checkpoint.folder / name
        if path not in checkpoint.missing and sha256(path) != expected:
            found.append(f"{path} is damaged: its sha256 is not the manifest's; {checkpoint.remedy}")
    if found or checkpoint.kind != "clip" or checkpoint.folder is None:
        return found
    try:
        text = text_home(checkpoint.folder, read_config(checkpoint.folder)["model_cfg"])
    except UserError as error:
        return [str(error)]
    return faults(read_manifest(text.parent)[text.name]) if text != checkpoint.folder else []


def describe(checkpoint: Checkpoint) -> dict[str, Any]:
    """For a table: name, kind, licence, about, bytes on disk, the files' sha256, the missing ones' names, and the place
    (None: not here)."""
    place = checkpoint.place
    return {
        "name": checkpoint.name,
        "kind": checkpoint.kind,
        "licence": checkpoint.licence,
        "about": checkpoint.about,
        "bytes": checkpoint.bytes,
        "files": dict(checkpoint.files),
        "missing": [path.name for path in checkpoint.missing],
        "place": place and str(place),
    }
