"""Packages of files, fetched by their registries' ordinary clients and unpacked into the cache.

Each function returns the folder with the unpacked files, and does nothing when that folder is already there.
Unpacking happens beside the target and is renamed when it is whole, so that an interrupted fetch leaves no half-
filled folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from clipguide.errors import UserError


def default_cache() -> Path:
    """Where package files are kept: $CLIPGUIDE_CACHE/data, or ~/.cache/clipguide/data."""
    root = os.environ.get("CLIPGUIDE_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "clipguide") / "data"


def fetch_debian(cache: Path, name: str) -> Path:
    """Unpack a Debian package by `apt-get download` and `dpkg-deb -x`: the returned folder holds `usr/`."""

    def fill(folder: Path) -> None:
        require_lists(name)
        call("apt-get", "download", "-q", name, cwd=folder)
        archive = next(folder.glob("*.deb"))
        call("dpkg-deb", "-x", str(archive), str(folder / "tree"), cwd=folder)

    return unpack(cache / "debian" / name, fill)


def require_lists(name: str, lists: Path = Path("/var/lib/apt/lists")) -> None:
    """Raises UserError on a machine whose lists of packages were never fetched, as in a fresh container."""
    if shutil.which("apt-get") and not any(lists.glob("*Packages*")):
        raise UserError(
            f"apt-get knows no packages yet, and {name} is one; run `apt-get update` once as root, then again"
        )


def fetch_npm(cache: Path, name: str, version: str) -> Path:
    """Unpack an npm package by `npm pack`: the returned folder is its `package/`."""

    def fill(folder: Path) -> None:
        call("npm", "pack", "--silent", f"{name}@{version}", cwd=folder)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        next((folder / "unpacked").iterdir()).rename(folder / "tree")

    return unpack(cache / "npm" / f"{name.replace('/', '+')}@{version}", fill)


def fetched_debian(cache: Path, name: str) -> Path:
    """The folder of an already unpacked Debian package. Raises UserError when it was not fetched."""
    return require(cache / "debian" / name)


def fetched_npm(cache: Path, name: str, version: str) -> Path:
    """The folder of an already unpacked npm package. Raises UserError when it was not fetched."""
    return require(cache / "npm" / f"{name.replace('/', '+')}@{version}")


def require(folder: Path) -> Path:
    """`folder`, or a UserError that says how to fetch it."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not there; run `python -m pretrain data fetch` with the same --cache first")
    return folder


def unpack(target: Path, fill: Callable[[Path], None]) -> Path:
    """Let `fill(scratch)` make `scratch/tree`, then move that to `target` in one rename."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unpacking-"))
    try:
        fill(scratch)
        os.replace(scratch / "tree", target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def call(*command: str, cwd: Path) -> None:
    """Run a client. A missing client or a refusal is one UserError line with the client's last words."""
    if shutil.which(command[0]) is None:
        raise UserError(
            f"`{command[0]}` is not installed, and {' '.join(command[-2:])} needs it; install it or skip this source"
        )
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise UserError(f"`{' '.join(command)}` failed: {words[-1] if words else f'exit {done.returncode}'}")
