"""Tables of results: printed, and kept as Markdown."""

import os
import platform
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


def keep(name: str, title: str, header: list[str], rows: list[list], notes: str = "") -> None:
    """Print a table and write it to ``benchmarks/results/NAME.md``."""
    body = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in rows]
    lines = [f"## {title}", "", "| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in body]
    lines += [
        "",
        notes,
        "",
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    ]
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    (RESULTS / f"{name}.md").write_text(text)
    print(text, flush=True)
