"""The declarations that could drift apart, held together; the rules of the house, checked."""

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "bfo_utils"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__"))
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA_NAMES = {"matplotlib": "matplotlib-base", "rosettasciio": "rosettasciio-base"}
BROUGHT = {
    "python",
    "pip",
    "imageio",
    "tifffile",
}  # named in environment.yml alone, with a reason there


def requirement(text):
    name, specifier = re.fullmatch(
        r"([A-Za-z0-9_.-]+)(?:\[.*\])?(.*)", text.replace(" ", "")
    ).groups()
    return name, specifier


def test_environment_and_pyproject_say_the_same():
    both = PROJECT["dependencies"] + EXTRAS["book"] + EXTRAS["data"]
    wanted = dict(requirement(d) for d in both)
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = dict(requirement(d) for d in listed if isinstance(d, str))
    assert conda.pop("python") == PROJECT["requires-python"]
    assert {CONDA_NAMES.get(n, n): s for n, s in wanted.items()} == {
        n: s for n, s in conda.items() if n not in BROUGHT
    }


def test_constraints_pin_every_dependency_and_hold_no_address():
    lines = (ROOT / "constraints.txt").read_text().split("\n")
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    wanted = sum(EXTRAS.values(), PROJECT["dependencies"])
    assert {requirement(d)[0].lower() for d in wanted} <= pinned
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.+!-]+", line) for line in lines if line)


def test_every_dependency_has_its_reason_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for dependency in PROJECT["dependencies"]:
        assert f"| {requirement(dependency)[0]} |" in readme, dependency


def test_rooms_import_one_way():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def public_names(path):
    """Functions and classes that a module defines, but for private ones."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name


def test_public_names_are_unique_in_the_package():
    names = [name for path in MODULES for name in public_names(path)]
    assert [name for name in names if names.count(name) > 1] == []


def test_rooms_are_few_and_small():
    assert len([path for path in PACKAGE.iterdir() if path.name != "__pycache__"]) <= 20
    for room in ROOMS:
        assert 1 <= len([path for path in room.glob("*.py") if path.stem != "__init__"]) <= 9, (
            room.name
        )
        exported = importlib.import_module(f"bfo_utils.{room.name}").__all__
        assert exported and not [name for name in exported if name.startswith("_")], room.name


def test_what_is_private_stays_in_its_room():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                assert "." not in (node.module or ""), f"{path}: imports from inside {node.module}"
                assert not [a.name for a in node.names if a.name.startswith("_")], path


def test_every_room_has_its_tests():
    assert {room.name for room in ROOMS} == {
        path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")
    }


def test_the_command_line_starts_without_the_heavy_libraries():
    code = (
        "import sys, bfo_utils.cli; print([m for m in ('torch', 'matplotlib', 'skopt', 'papermill',"
        " 'distributed') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_module_imports_torch():
    knows = {
        path.name
        for path in (ROOT / "bfo_utils").rglob("*.py")
        if re.search(r"^\s*(import|from) (torch|atomai)", path.read_text(), re.M)
    }
    assert knows == {"networks.py"}


def test_that_module_is_imported_lazily_and_by_one():
    users = {
        path: path.read_text()
        for path in MODULES
        if "networks import" in path.read_text() or "import networks" in path.read_text()
    }
    assert {path.name for path in users} == {"model.py"}
    assert not re.search(r"^from .*networks", "".join(users.values()), re.M)


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_are_stored_clean(path):
    cells = json.loads(path.read_text())["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert sum("parameters" in c["metadata"].get("tags", []) for c in cells) == 1
    for cell in code:
        assert not cell["outputs"] and cell["execution_count"] is None
        assert len("".join(cell["source"]).split("\n")) <= 25


@pytest.mark.slow
def test_the_wheel_carries_the_notebooks_and_the_book(tmp_path):
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--quiet",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for wanted in ("notebooks/01_data.ipynb", "book/_toc.yml", "_config.yml"):
        assert f"bfo_utils/resources/{wanted}" in names


def test_the_public_names_are_those_that_are_promised():
    import bfo_utils

    promised = sorted(name for names in bfo_utils._NAMES.values() for name in names)
    assert promised == sorted(bfo_utils.__all__) and len(promised) <= 24
    for name in promised:
        assert getattr(bfo_utils, name).__name__ == name and f"`{name}`" in bfo_utils.__doc__
    assert bfo_utils.__version__ == PROJECT["version"]
    assert {room.name for room in ROOMS} == bfo_utils._ROOMS


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, bfo_utils; print({'numpy', 'scipy', 'sklearn', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
