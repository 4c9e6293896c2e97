"""Small faults put into the rewards and the walls, one at a time: does a test notice?

``python -m tests.mutants`` swaps every operator, comparison, number, minimum and maximum of the two
modules for another, leaves out every assignment in place, runs the modules' tests on each of these
mutants, and prints which survived. Survivors that compute the same as the original, or differ by
what no test should pin down, are explained in ``tests/mutants.json``.

Why not a ready-made tool: mutmut leaves out functions with a decorator, which all rewards have;
Cosmic Ray makes 2018 mutants of the two modules and starts an interpreter for each, which takes
hours. Here every mutant is a fork of one process that has the libraries loaded.
"""

import ast
import compileall
import contextlib
import copy
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from .record import record

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    "segmentation/walls",
    "rewards/geometry",
    "rewards/physics",
    "rewards/guards",
    "rewards/scoring",
)
TESTS = (
    "bfo_utils/segmentation/walls.py",
    "bfo_utils/rewards",
    "tests/segmentation/test_walls.py",
    "tests/rewards/test_scoring.py",
)
EXPLAINED = json.loads(Path(__file__).with_name("mutants.json").read_text())
LIMIT = 90  # seconds after which a mutant counts as noticed: it hangs
WORKERS = 2
_LOADED = (
    "hypothesis.extra.numpy",
    "scipy.ndimage",
    "scipy.sparse.csgraph",
    "scipy.spatial",
    "sklearn.mixture",
    "pandas",
    "h5py",
)
_SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_NAMES = {
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
    "any": "all",
    "all": "any",
    "cos": "sin",
    "sin": "cos",
}


@dataclass(frozen=True)
class Mutant:
    """A module with one fault: the statement as it was and as it is, and the whole source."""

    module: str
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """What the explanations are kept under; line numbers would change with every edit."""
        return f"{self.module}: {self.before} -> {self.after}"


def mutants(module: str) -> list[Mutant]:
    """All mutants of a module, each once."""
    tree = ast.parse((ROOT / "bfo_utils" / f"{module}.py").read_text())
    found = {}
    idle = {id(n) for part in _idle(tree) for n in ast.walk(part)}
    for position, node in enumerate(ast.walk(tree)):
        for change in _changes(node) if id(node) not in idle else ():
            other = copy.deepcopy(tree)
            change(next(n for k, n in enumerate(ast.walk(other)) if k == position))
            mutant = _difference(
                module, ast.unparse(tree), ast.unparse(ast.fix_missing_locations(other))
            )
            found[mutant.source] = mutant
    return list(found.values())


def _idle(tree: ast.AST) -> Iterator[ast.AST]:
    """Parts that do nothing when the program runs: annotations, aliases of types, decorators'
    names.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield from filter(None, [node.returns, *node.decorator_list])
            yield from (a.annotation for a in node.args.args if a.annotation)
        elif isinstance(node, ast.AnnAssign):
            yield node.annotation
        elif isinstance(node, ast.ClassDef):
            yield from node.decorator_list


def _changes(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """What can be done to a node."""
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in _SWAPS:
        yield lambda n: setattr(n, "op", _SWAPS[type(n.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPS:
        yield lambda n: n.ops.__setitem__(0, _SWAPS[type(n.ops[0])]())
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield lambda n: setattr(n, "value", n.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield lambda n: setattr(n, "value", n.value * 1.25 or 1.0)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Invert, ast.Not, ast.USub)):
        yield lambda n: setattr(n, "op", ast.UAdd())
    if isinstance(node, ast.Name) and node.id in _NAMES:
        yield lambda n: setattr(n, "id", _NAMES[n.id])
    if isinstance(node, ast.Attribute) and node.attr in _NAMES:
        yield lambda n: setattr(n, "attr", _NAMES[n.attr])
    if isinstance(getattr(node, "body", None), list):
        for k, statement in enumerate(node.body):
            if isinstance(statement, ast.AugAssign) or (
                isinstance(statement, ast.Assign)
                and isinstance(statement.targets[0], ast.Subscript)
            ):
                yield lambda n, k=k: n.body.__setitem__(k, ast.Pass())


def _difference(module: str, source: str, changed: str) -> Mutant:
    pairs = zip(source.split("\n"), changed.split("\n"), strict=True)
    before, after = next((one.strip(), two.strip()) for one, two in pairs if one != two)
    return Mutant(module, before, after, changed)


def _copy(folder: Path) -> Path:
    """The package and its tests in a folder, compiled but for the two modules."""
    for name in ("bfo_utils", "tests", "book"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    compileall.compile_dir(folder, quiet=1)
    for module in MODULES:
        path = folder / "bfo_utils" / module
        for compiled in (path.parent / "__pycache__").glob(f"{path.name}.*"):
            compiled.unlink()
    return folder


def survives(mutant: Mutant, folder: Path) -> bool:
    """Whether the tests pass on a mutant."""
    target = folder / "bfo_utils" / f"{mutant.module}.py"
    target.write_text(mutant.source)
    child = os.fork()
    if child == 0:
        _test(folder)
    try:
        return os.waitpid(child, 0)[1] == 0
    finally:
        shutil.copy(ROOT / "bfo_utils" / f"{mutant.module}.py", target)


def _test(folder: Path) -> None:
    """In the fork: run the tests and end."""
    signal.alarm(LIMIT)
    sys.dont_write_bytecode = True
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    for name in [n for n in sys.modules if n.split(".")[0] in ("tests", "bfo_utils")]:
        del sys.modules[name]
    os.environ.pop("BFO_RECORD", None)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    code = 1
    with contextlib.suppress(BaseException):
        code = pytest.main(
            [
                *TESTS,
                "-x",
                "-q",
                "-p",
                "no:cacheprovider",
                "--hypothesis-seed=0",
                "-W",
                "ignore::pytest.PytestAssertRewriteWarning",
            ]
        )  # hypothesis is loaded already
    os._exit(int(code))


def tried(chosen: list[Mutant]) -> list[bool]:
    """Whether each survives, several tested at a time.

    Raises
    ------
    SystemExit
        If the tests fail without a mutant: they would seem to notice all.
    """
    with tempfile.TemporaryDirectory() as top, ThreadPoolExecutor(WORKERS) as pool:
        free: SimpleQueue = SimpleQueue()
        for k in range(WORKERS):
            free.put(_copy(Path(top, str(k))))

        for module in MODULES:
            original = Mutant(module, "", "", (ROOT / "bfo_utils" / f"{module}.py").read_text())
            if not survives(original, Path(top, "0")):
                sys.exit(f"{module}: its tests fail without a mutant; mend them first")

        def one(mutant: Mutant) -> bool:
            folder = free.get()
            try:
                return survives(mutant, folder)
            finally:
                free.put(folder)

        return list(pool.map(one, chosen))


def main(names: list[str]) -> int:
    """Try the mutants of modules; the number of survivors that nobody has explained."""
    for name in _LOADED:
        importlib.import_module(name)
    unexplained = 0
    for module in names or MODULES:
        chosen = mutants(module)
        alive = [m for m, lives in zip(chosen, tried(chosen), strict=True) if lives]
        open_ = [m for m in alive if m.key not in EXPLAINED]
        counts = {
            "mutants": len(chosen),
            "killed": len(chosen) - len(alive),
            "explained": len(alive) - len(open_),
            "survived": len(open_),
        }
        record("mutants", module=module, **counts)
        print(module, counts, flush=True)
        for m in open_:
            print(f"  - {m.before}\n  + {m.after}", flush=True)
        unexplained += len(open_)
    return unexplained


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) > 0)
