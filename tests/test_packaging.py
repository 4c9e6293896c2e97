"""The declarations that could drift apart, held together; the rules of the house, checked."""

import ast
import doctest
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

import bfo_utils

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


def test_make_installs_the_extras_that_there_are():
    lines = re.findall(r"--editable '\.\[(.*)\]'", (ROOT / "Makefile").read_text())
    assert [sorted(line.split(",")) for line in lines] == [["book", "data", "vae"], sorted(EXTRAS)]


def test_every_dependency_has_its_reason():
    reasons = (ROOT / "CONTRIBUTING.md").read_text()
    for dependency in PROJECT["dependencies"]:
        assert f"| {requirement(dependency)[0]} |" in reasons, dependency


def test_citation_follows_the_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (str(cited["version"]), cited["license"]) == (PROJECT["version"], "BSD-3-Clause")
    assert bfo_utils.__version__ == PROJECT["version"]


def test_the_readme_is_short_and_its_lines_run():
    lines = (ROOT / "README.md").read_text().split("\n")
    assert len(lines) <= 120
    found = doctest.testfile(
        str(ROOT / "README.md"), module_relative=False, optionflags=doctest.ELLIPSIS
    )
    assert found.attempted == 8 and found.failed == 0


def test_the_map_of_the_house_names_every_room_in_the_order_of_imports():
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = layers["contracts"]
    assert rows == [name for name in reversed(contract["layers"]) if name not in ("errors", "cli")]


def test_hooks_run_what_lint_runs_and_download_nothing():
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    tools = {hook["entry"].split()[0].rpartition("/")[2] for hook in local["hooks"]}
    lint = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    assert tools == set(re.findall(r"\$\(BIN\)/([\w-]+)", lint))


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
    rooms = [path.parent for room in ROOMS for path in room.rglob("__init__.py")]
    assert len(rooms) > len(ROOMS)  # some hold another one
    for room in rooms:
        assert 1 <= len([path for path in room.glob("*.py") if path.stem != "__init__"]) <= 9, (
            room.name
        )
        name = ".".join(room.relative_to(PACKAGE).parts)
        exported = importlib.import_module(f"bfo_utils.{name}").__all__
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


#: Roots of what is imported by name: distributions and modules are not always called the same.
IMPORTED = {
    "lazy-loader": "lazy_loader",
    "jupyter-book": "jupyter_book",
    "pyyaml": "yaml",
    "rosettasciio": "rsciio",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "scikit-optimize": "skopt",
}
EXTRA_MODULES = {
    IMPORTED.get(name, name)
    for extra in ("book", "cluster", "data", "genetic", "vae")
    for name in (requirement(d)[0] for d in EXTRAS[extra])
}
HEAVY = {IMPORTED.get(n, n) for n in (requirement(d)[0] for d in PROJECT["dependencies"])} - {
    "click",
    "lazy_loader",
}


def bfo(tmp_path, *arguments, missing=()):
    """Call the command line where modules cannot be imported; its answer and what it imported."""
    code = f"""
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in {sorted(missing)!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
before = set(sys.modules)
from bfo_utils.cli import main
try:
    main({[str(a) for a in arguments]!r})
finally:
    open({str(tmp_path / "imported")!r}, "w").write(" ".join(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done, set((tmp_path / "imported").read_text().split())


def test_help_imports_nothing_heavy(tmp_path):
    for arguments in (["--help"], ["phantom", "--help"], ["batch"]):
        assert not bfo(tmp_path, *arguments)[1] & (HEAVY | EXTRA_MODULES), arguments


def test_a_command_imports_only_what_it_uses(tmp_path):
    unused = {"sklearn", "skopt", "pandas", "matplotlib", "skimage"}
    made = tmp_path / "p.h5"
    done, imported = bfo(tmp_path, "phantom", "--out", made, "--cells", 8)
    assert done.returncode == 0 and not imported & unused and made.exists()
    assert not bfo(tmp_path, "parameters")[1] & (unused | {"h5py"})


def test_the_light_core_analyzes(tmp_path):
    bfo(tmp_path, "phantom", "--out", tmp_path / "p.h5", "--cells", 20, "--cell-px", 12)
    out = tmp_path / "out"
    given = ("analyze", tmp_path / "p.h5", "--out", out, "--budget", 8)
    done, imported = bfo(tmp_path, *given, missing=EXTRA_MODULES)
    assert done.returncode == 0, done.stderr
    assert (out / "result.json").exists() and not imported & EXTRA_MODULES


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("run", "--out", "out"), "book"),
        (("fetch", "smbfo"), "data"),
        (("batch", __file__, "--out", "out", "--scheduler", "tcp://x:1"), "cluster"),
        (("analyze", __file__, "--out", "out", "--vae", "2"), "vae"),
        (("analyze", __file__, "--out", "out", "--goal", "nsga2"), "genetic"),
    ],
)
def test_a_command_whose_extra_is_missing_says_what_to_install(
    tmp_path, monkeypatch, arguments, extra
):
    monkeypatch.chdir(tmp_path)
    done, _ = bfo(tmp_path, *arguments, missing=EXTRA_MODULES)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert f"not installed; run: pip install '.[{extra}]'" in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_a_file_holds_is_said_without_the_libraries_of_the_analysis():
    code = (
        "import sys, bfo_utils.cli, bfo_utils.io; print([m for m in ('sklearn', 'scipy', 'pandas',"
        " 'skimage', 'torch', 'matplotlib', 'skopt') if m in sys.modules])"
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
    text = [line for c in cells if c["cell_type"] == "markdown" for line in c["source"]]
    assert not [line for line in text if line.startswith("%")]  # a comment, which no page shows


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
    for template in (ROOT / "bfo_utils" / "report" / "templates").iterdir():
        assert f"bfo_utils/report/templates/{template.name}" in names


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
