"""The wheel: it holds the bundled weights and nothing beside them, and works away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clipguide import images
from clipguide.weights import checkpoints_folder, read_manifest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)])
    return next(folder.glob("*.whl"))


def _run(line, **more):
    done = subprocess.run(line, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_the_checkpoints_of_the_manifest_and_no_junk(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    there = {name.removeprefix("clipguide/checkpoints/") for name in names if "/checkpoints/" in name}
    bundled = [entry for entry in read_manifest(checkpoints_folder()).values() if entry.folder]
    listed = {f"{entry.name}/{file}" for entry in bundled for file in entry.files} | {"manifest.toml"}
    cards = {f"{entry.name}/README.md" for entry in bundled}
    assert listed <= there <= listed | cards
    packages = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert packages == {"clipguide", "apps", "pretrain"}
    assert not [name for name in names if name.startswith("tests") or name.endswith((".tar", ".pt", ".part"))]


def test_it_generates_elsewhere(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    _run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)])
    code = (
        "import sys, clipguide, clipguide.cli as c; from clipguide.weights import checkpoints_folder;"
        "print(checkpoints_folder());"
        "sys.exit(c.main(['generate', 'a castle', '--steps', '0', '--size', '32', '--cutouts', '1']))"
    )
    env = os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    said = _run([sys.executable, "-c", code], cwd=elsewhere, env=env)
    assert said.splitlines()[0] == str(site / "clipguide" / "checkpoints")
    assert images.read(elsewhere / "outputs/a-castle/picture.png").shape == (1, 3, 32, 32)
