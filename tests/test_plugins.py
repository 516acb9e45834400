"""The example package of docs/plugins.md: built as a wheel's contents would lie in site-packages, found, and run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from doubles import TinyModels

from clipguide import api, losses, methods
from clipguide.errors import UserError
from clipguide.methods import METHODS
from clipguide.plans import method

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = Path(__file__).parent.parent / "docs" / "example-plugin"


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A folder on the import path, as site-packages is."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("clipguide_stripes", None)


def install(site: Path, project: dict) -> None:
    """What an installer leaves of a package beside its modules."""
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head, encoding="utf-8")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())])
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(groups), encoding="utf-8")


@pytest.fixture
def example(site) -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (site / "clipguide_stripes.py").write_bytes((EXAMPLE / "clipguide_stripes.py").read_bytes())
    install(site, project)


def test_without_packages_there_are_the_built_in_ones():
    assert set(METHODS) <= set(methods.table())
    assert "stripes" not in methods.table() and "dark" not in losses.plugins()


def test_an_installed_method_is_found_and_makes_a_picture(example):
    assert methods.table()["stripes"] == ("clipguide_stripes", "from the package clipguide-stripes")
    values = {"steps": 3, "size": (32, 24), "cutouts": 2, "count": 4, "batch": 2}
    made = api.generate("a sunset #stripes", models=TinyModels(), **values)
    assert made.recipe["method"] == "stripes" and made.recipe["settings"]["count"] == 4
    assert made.tensor.shape == (2, 3, 24, 32)
    assert len(made.tensor[0].flatten(1).unique(dim=1)[0]) <= 4


def test_an_installed_loss_joins_the_terms_with_its_weight(example):
    values = {"steps": 2, "size": (32, 32), "cutouts": 2, "lr": 0.3}
    plain, dark = (
        api.generate("a fox", method="pixelart", models=TinyModels(), losses=wanted, **values)
        for wanted in ("", "dark:50")
    )
    assert set(dark.step.losses) - set(plain.step.losses) == {"dark"}
    assert dark.tensor.mean() < plain.tensor.mean()
    torch.testing.assert_close(dark.step.losses["dark"], dark.tensor.mean())


def test_a_package_cannot_take_a_name_that_is_taken(site):
    install(site, {"name": "thief", "version": "1", "entry-points": {"clipguide.methods": {"pixelart": "thief"}}})
    assert methods.table()["pixelart"] == METHODS["pixelart"]


def test_a_broken_package_is_named_in_one_line(site):
    groups = {"clipguide.methods": {"broken": "not_there"}, "clipguide.losses": {"broken": "not_there:loss"}}
    install(site, {"name": "sad-package", "version": "1", "entry-points": groups})
    with pytest.raises(UserError, match="sad-package.*cannot be loaded"):
        method("broken")
    with pytest.raises(UserError, match="cannot be loaded"):
        losses.installed("broken")
    assert "broken" in methods.table()  # the others still work
