"""The habits that keep the code readable: layers, sizes of functions and files, no work at import."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("clipguide", "apps", "pretrain")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
LONGEST_FUNCTION, LONGEST_FILE, MOST_PARAMETERS = 40, 250, 8
names = [str(file.relative_to(ROOT)) for file in FILES]


def lint_imports(root: Path) -> subprocess.CompletedProcess:
    command = [Path(sys.executable).with_name("lint-imports"), "--config", "pyproject.toml", "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The packages' sources, to plant breaches in."""
    root = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_the_import_contracts_are_kept(copy):
    found = lint_imports(copy)
    assert found.returncode == 0, found.stdout[-3000:]


BREACHES = {
    "a canvas knows a loss": ("clipguide/canvases/pixels.py", "clipguide.losses.smooth"),
    "a loss knows a canvas": ("clipguide/losses/smooth.py", "clipguide.canvases.pixels"),
    "a network knows the loop": ("clipguide/models/fold.py", "clipguide.core"),
    "tensor maths know the loop": ("clipguide/ops/warp.py", "clipguide.core"),
    "a method knows another": ("clipguide/methods/fourier.py", "clipguide.methods.pixels"),
    "the library knows the apps": ("clipguide/api.py", "apps"),
    "the library knows the trainer": ("clipguide/models/clip.py", "pretrain"),
    "the apps know the loop": ("apps/__init__.py", "clipguide.core"),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_a_planted_breach_is_caught(copy, breach):
    file, module = BREACHES[breach]
    path = copy / file
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\nimport {module}\n", encoding="utf-8")
    try:
        found = lint_imports(copy)
    finally:
        path.write_text(before, encoding="utf-8")
    assert found.returncode != 0 and "BROKEN" in found.stdout


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


@pytest.mark.parametrize("file", FILES, ids=names)
def test_functions_and_files_stay_short(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{lines} lines"
    long = {node.name: length for node in functions(file) if (length := node.end_lineno - node.lineno + 1) > 40}
    assert not long, f"at most {LONGEST_FUNCTION} lines: {long}"


@pytest.mark.parametrize("file", FILES, ids=names)
def test_constructors_take_few_parameters(file):
    for node in functions(file):
        if node.name == "__init__":
            count = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs) - 1  # without self
            assert count <= MOST_PARAMETERS, f"line {node.lineno}: {count} parameters"


@pytest.mark.parametrize("file", [f for f in FILES if f.parts[len(ROOT.parts)] == "clipguide"], ids=str)
def test_the_library_does_not_print_or_pass_options_through(file):
    if "commands" in file.parts or file.name == "cli.py":
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}"


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, clipguide, clipguide.methods; print([m for m in ('torch', 'pydantic') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_importing_every_part_opens_no_large_library():
    """open_clip, diffusers, gradio and their like are imported by the functions that need them."""
    modules = [".".join(file.with_suffix("").relative_to(ROOT).parts) for file in (ROOT / "clipguide").rglob("*.py")]
    modules.remove("clipguide.models.resnet_thin")  # names a network to timm, and is imported where one is opened
    heavy = ("open_clip", "timm", "torchvision", "diffusers", "transformers", "kornia", "gradio", "trimesh", "imageio")
    code = (
        f"import sys, importlib\nfor name in {[m.removesuffix('.__init__') for m in modules]!r}:\n"
        f"    importlib.import_module(name)\nprint([m for m in {heavy!r} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-2000:]
    assert found.stdout.strip().splitlines()[-1] == "[]"
