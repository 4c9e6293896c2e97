"""The declarations that could drift apart, held together; the rules of the house, checked."""

import ast
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
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"matplotlib": "matplotlib-base", "rosettasciio": "rosettasciio-base"}
BROUGHT = {"python", "pip", "imageio", "tifffile"}  # named in environment.yml alone, with a reason there
LAYERS = ["errors", "resources", "files", "locks", "printing", "provenance", "cluster", "layouts", "elasticity", "claims", "store",
          "readers", "tiles", "images", "columns", "cells", "indexing", "lattice", "phantom", "descriptors", "evidence", "clustering",
          "walls", "rewards", "decoys", "shuffles", "memo", "networks", "vae", "space", "models", "workflow", "scores", "confidence",
          "ledger", "pareto", "surrogate", "optimize", "sensitivity", "disentangle", "manifold", "halving", "anomalies", "style",
          "charts", "placement", "backdrop", "maps", "sidebyside", "fields", "learned", "figures", "analysis", "caveats", "recipe",
          "artifacts", "report", "interactive", "compare", "batch", "registry", "transfer", "fetch", "pickles", "parameterisation",
          "agreement", "smbfo", "series", "composition", "trends", "questions", "checks", "book", "workshop", "cli"]


def requirement(text):
    name, specifier = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[.*\])?(.*)", text.replace(" ", "")).groups()
    return name, specifier


def test_environment_and_pyproject_say_the_same():
    wanted = dict(requirement(d) for d in PROJECT["dependencies"])
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    conda = dict(requirement(d) for d in listed if isinstance(d, str))
    assert conda.pop("python") == PROJECT["requires-python"]
    assert {CONDA_NAMES.get(n, n): s for n, s in wanted.items()} == {n: s for n, s in conda.items() if n not in BROUGHT}


def test_constraints_pin_every_dependency_and_hold_no_address():
    lines = (ROOT / "constraints.txt").read_text().split("\n")
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    assert {requirement(d)[0].lower() for d in wanted} <= pinned
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9.+!-]+", line) for line in lines if line)


def test_every_dependency_has_its_reason_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for dependency in PROJECT["dependencies"]:
        assert f"| {requirement(dependency)[0]} |" in readme, dependency


def imports(path):
    """Modules of the package that a module imports at its top."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            yield from [node.module] if node.module else [alias.name for alias in node.names]


def test_imports_run_one_way():
    assert sorted(LAYERS) == sorted(path.stem for path in (ROOT / "bfo_utils").glob("*.py") if not path.stem.startswith("__"))
    for name in LAYERS:
        for imported in imports(ROOT / "bfo_utils" / f"{name}.py"):
            if imported in LAYERS:
                assert LAYERS.index(imported) < LAYERS.index(name), f"{name} imports {imported}"


def test_the_command_line_starts_without_the_heavy_libraries():
    code = "import sys, bfo_utils.cli; print([m for m in ('torch', 'matplotlib', 'skopt', 'papermill', 'distributed') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_module_imports_torch():
    knows = {path.name for path in (ROOT / "bfo_utils").rglob("*.py")
             if re.search(r"^\s*(import|from) (torch|atomai)", path.read_text(), re.M)}
    assert knows == {"networks.py"}


def test_that_module_is_imported_lazily_and_by_one():
    at_the_top = [path.name for path in (ROOT / "bfo_utils").glob("*.py") if "networks" in imports(path)]
    anywhere = {path.name for path in (ROOT / "bfo_utils").glob("*.py")
                if re.search(r"import networks|from \.networks|\.networks import", path.read_text())}
    assert not at_the_top and anywhere == {"vae.py"}


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
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    for wanted in ("notebooks/01_data.ipynb", "book/_toc.yml", "_config.yml"):
        assert f"bfo_utils/resources/{wanted}" in names
