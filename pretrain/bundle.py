"""Puts a trained CLIP among the bundled checkpoints: python -m pretrain.bundle FOLDER [NAME].

Copies the files that the manifest lists for NAME into checkpoints/NAME, README.md too where there is one, and writes
their sha256 into checkpoints/manifest.toml.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from clipguide import images
from clipguide.errors import UserError
from clipguide.weights import MANIFEST, checkpoints_folder, read_manifest, sha256
from pretrain.arguments import Parser

CARD = "README.md"


def bundle(source: Path, name: str, checkpoints: Path) -> dict[str, str]:
    """Copies, notes the digests -> file name: sha256.  UserError for an unknown name, or a folder that lacks a file."""
    known = read_manifest(checkpoints)
    if name not in known or known[name].folder is None:
        raise UserError(f"{checkpoints / MANIFEST} bundles no '{name}'; write its entry first")
    missing = [file for file in known[name].files if not (source / file).is_file()]
    if missing:
        raise UserError(f"{source / missing[0]} is missing; export the model again")
    target = checkpoints / name
    target.mkdir(exist_ok=True)
    for file in (*known[name].files, *([CARD] if (source / CARD).is_file() else [])):
        images.write(target / file, (source / file).read_bytes())
    digests = {file: sha256(target / file) for file in known[name].files}
    manifest = checkpoints / MANIFEST
    images.write(manifest, _with_digests(manifest.read_text(encoding="utf-8"), name, digests).encode())
    return digests


def _with_digests(manifest: str, name: str, digests: dict[str, str]) -> str:
    """The manifest's text with other digests under [name]; comments and the other entries stay as they are."""
    files = ", ".join(f'"{file}" = "{digest}"' for file, digest in digests.items())
    entries = re.split(r"(?m)^(?=\[)", manifest)
    index = next(i for i, entry in enumerate(entries) if entry.startswith(f"[{name}]"))
    entries[index] = re.sub(r"(?m)^files = \{.*\}$", f"files = {{ {files} }}", entries[index])
    return "".join(entries)


def main(words: Sequence[str] | None = None) -> int:
    parser = Parser(prog="python -m pretrain.bundle", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a CLIP in open_clip's layout")
    parser.add_argument("name", nargs="?", default="clip-mini", help="its name in the manifest (default clip-mini)")
    try:
        args = parser.parse_args(words)
        for file, digest in bundle(args.folder, args.name, checkpoints_folder()).items():
            print(f"{digest}  {file}")
    except UserError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
