"""Do two commits give the same tables? Six images are analyzed by both, every table is compared
byte for byte.

    python -m benchmarks.before_after COMMIT [--against COMMIT]

The first commit simulates the phantoms; both analyze the same files. Wall times are left out.
"""

import json
import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data"
PHANTOMS = {
    "junction": ["--layout", "junction", "--cells", "40"],
    "closure": ["--layout", "closure", "--cells", "36", "--dose", "60", "--seed", "3"],
    "needles": ["--layout", "needles", "--cells", "36", "--cell-px", "16", "--seed", "5"],
    "single": ["--layout", "single", "--cells", "30", "--seed", "7"],
}
OPTIONS = {
    "closure": ["--whole", "--total", "evidence=1", "--total", "agreement=0.5"],
    "pto_sro_supercrystal": ["--pixel-size", "0.015"],
    "pto_junction_recovered": ["--pixel-size", "0.0192", "--evidence", "lattice"],
}
REAL_IMAGES = ("pto_sro_supercrystal.hspy", "pto_junction_recovered.tif")


def bfo(tree: Path, *arguments: str) -> None:
    """Run the command line of a tree."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "bfo_utils", *arguments]
    subprocess.run(command, env=environment, cwd=tree, check=True, stdout=subprocess.DEVNULL)


def images(tree: Path, folder: Path) -> Iterator[Path]:
    """Four phantoms and, where they are at hand, two real images."""
    for name, options in PHANTOMS.items():
        path = folder / f"{name}.h5"
        bfo(tree, "phantom", "--out", str(path), *options)
        yield path
    yield from (REAL / name for name in REAL_IMAGES if (REAL / name).exists())


def tables(folder: Path) -> dict[str, object]:
    """Every table of a result without its wall times, and the numbers of ``result.json``."""
    found: dict[str, object] = {}
    for path in sorted(folder.glob("*.csv")):
        text = path.read_bytes()
        if b"seconds" in text.split(b"\n", 1)[0]:
            text = pd.read_csv(path, dtype=str).drop(columns="seconds").to_csv().encode()
        found[path.name] = text
    result = json.loads((folder / "result.json").read_text())
    found |= {
        f"result.json: {k}": v for k, v in result.items() if k not in ("timings_s", "versions")
    }
    return found


def differing(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """Names of tables, and of entries of ``result.json``, that are not the same in both."""
    return sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))


def main() -> int:
    """Print one line per image; exit status 1 where something differs."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("before")
    parser.add_argument("--against", help="the commit after  [default: this working tree]")
    given = parser.parse_args()
    status = 0
    with tempfile.TemporaryDirectory() as temporary:
        trees = [checkout(given.before, Path(temporary, "before"))]
        trees.append(checkout(given.against, Path(temporary, "after")) if given.against else ROOT)
        for image in images(trees[0], Path(temporary)):
            results = [Path(temporary, f"{image.stem}-{k}") for k in range(len(trees))]
            for tree, out in zip(trees, results, strict=True):
                options = ["--budget", "16", *OPTIONS.get(image.stem, [])]
                bfo(tree, "analyze", str(image), "--out", str(out), *options)
            changed = differing(*(tables(out) for out in results))
            status |= bool(changed)
            print(f"{image.name}: {', '.join(changed) or 'identical'}", flush=True)
    return status


def checkout(commit: str, folder: Path) -> Path:
    """The files of a commit in a new folder."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
