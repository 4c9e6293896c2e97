"""Lines of code by room, of one commit beside another.

    python -m benchmarks.count [COMMIT ...]     [default: this working tree]

Lines count as they lie after ``ruff format`` with today's settings, whatever they were stored
as; blank lines, comments and docstrings do not count. Old flat modules are rows of their own.
"""

import ast
import io
import subprocess
import sys
import tempfile
import tokenize
from collections import Counter
from pathlib import Path

import pandas as pd

from benchmarks.before_after import ROOT, checkout

_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
PLACES = ("bfo_utils", "book/_ext")


def code_lines(source: str) -> int:
    """Number of lines with code, docstrings left out.

    >>> code_lines('def f():\\n    "What it does."\\n\\n    return 1  # one\\n')
    2
    """
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {
        line
        for token in tokens
        if token.type not in _LAYOUT
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - _docstring_lines(ast.parse(source)))


def _docstring_lines(tree: ast.Module) -> set[int]:
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [
        node.body[0]
        for node in ast.walk(tree)
        if isinstance(node, owners) and node.body and ast.get_docstring(node, clean=False)
    ]
    return {line for text in texts for line in range(text.lineno, (text.end_lineno or 0) + 1)}


def formatted(path: Path) -> str:
    """What ``ruff format`` makes of a file."""
    settings = ["--config", str(ROOT / "pyproject.toml"), "--stdin-filename", "source.py", "-"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", *settings],
        input=path.read_bytes(),
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def by_room(tree: Path) -> Counter[str]:
    """Lines of code of every room of a tree."""
    rooms: Counter[str] = Counter()
    for path in sorted(path for place in PLACES for path in (tree / place).rglob("*.py")):
        parts = path.relative_to(tree).parts
        room = parts[1] if parts[0] == "bfo_utils" else "extensions of Sphinx"
        rooms[room.removesuffix(".py")] += code_lines(formatted(path))
    return rooms


def main(commits: list[str]) -> None:
    """Print a table: a row a room, a column a commit."""
    counts = {}
    with tempfile.TemporaryDirectory() as temporary:
        for commit in commits:
            counts[commit] = by_room(checkout(commit, Path(temporary, commit)))
    table = pd.DataFrame(counts or {"working tree": by_room(ROOT)}).fillna(0).astype(int)
    print(pd.concat([table, table.sum().to_frame("all").T]).to_string())


if __name__ == "__main__":
    main(sys.argv[1:])
