"""Commands killed at random moments, and what they leave, but for what the clock has written
into it.
"""

import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

#: How often each command is killed; `make faults` sets 30.
KILLS = int(os.environ.get("BFO_KILLS", "3"))
_TRIES = 4  # moments drawn for one kill, at most: a command may end before the moment comes


@dataclass(frozen=True)
class Command:
    """A call of `bfo` that writes to one folder, and the environment that it needs besides ours."""

    arguments: tuple[str, ...]
    option: str = "--out"
    environment: tuple[tuple[str, str], ...] = ()

    def start(self, out, *more, log=None):
        """A process of the command in a group of its own; what it says goes to a file beside the
        folder.
        """
        with open(log or f"{out}.log", "w") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "bfo_utils", *self.arguments, self.option, str(out), *more],
                stdout=file,
                stderr=file,
                env=os.environ | dict(self.environment),
                start_new_session=True,
            )

    def whole(self, out, *more):
        """Run to the end; returns the wall time."""
        start = time.monotonic()
        assert self.start(out, *more).wait(900) == 0, Path(f"{out}.log").read_text()[-3000:]
        return time.monotonic() - start

    def killed(self, out, seconds, *more):
        """Kill the whole group after some time; whether it was still at work."""
        process = self.start(out, *more)
        try:
            process.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True


def strike(command, root, kills, seed, watched=nullcontext):
    """Kill a command at moments drawn over its undisturbed wall time, call it a second time, and
    compare with an undisturbed run.

    The second calls are made in the context `watched`. Returns a row for the table.
    """
    root.mkdir(parents=True, exist_ok=True)
    out, rng = root / "out", np.random.default_rng(seed)
    seconds, wanted = _undisturbed(command, out)
    left, failed, differ, moments, limit = 0, 0, [], [], seconds
    for share in rng.uniform(0, 1, _TRIES * kills):
        if len(moments) == kills:
            break
        shutil.rmtree(out, ignore_errors=True)
        if not command.killed(out, share * limit):
            limit *= share  # the machine was busier when the undisturbed run was timed
            continue
        moments.append(round(share, 3))
        left += len(leftovers(out))
        with watched(out):
            command.whole(out)
        found = differences(wanted, content(out))
        failed, differ = failed + bool(found), differ + found
    return _row(len(moments), failed, seconds, left, differ) | {"moments": moments}


def strike_in_chains(command, root, kills, seed, piece=0.25):
    """The same for a long command: killed and resumed, again and again, until it ends; then it
    begins anew.

    Every call is killed after a time drawn up to a piece of the undisturbed one, so that the kills
    come in all its phases.
    """
    root.mkdir(parents=True, exist_ok=True)
    out, rng = root / "out", np.random.default_rng(seed)
    seconds, wanted = _undisturbed(command, out)
    struck, left, failed, differ = 0, 0, 0, []
    while struck < kills:
        if command.killed(out, rng.uniform(0, piece * seconds), "--resume"):
            struck += 1
            left += len(leftovers(out))
            if struck < kills:
                continue
            command.whole(out, "--resume")
        found = differences(wanted, content(out))
        failed, differ = failed + bool(found), differ + found
        shutil.rmtree(out)
    return _row(struck, failed, seconds, left, differ)


def _row(tried, failed, seconds, left, differ):
    return {
        "tried": tried,
        "survived": tried - failed,
        "bytes_lost": sum(n for _, n in differ),
        "differ": sorted({name for name, _ in differ}),
        "left_by_the_killed": left,
        "undisturbed_s": round(seconds, 1),
    }


def _undisturbed(command, out):
    """Wall time and content of a run that nobody kills, in the same place as those that are."""
    seconds, wanted = command.whole(out), content(out)
    shutil.rmtree(out)
    return seconds, wanted


def leftovers(folder):
    """Temporary files, locks and sockets."""
    marks = re.compile(r"\.lock.*|.*\.part(\.\w+)?|\.html\.old|\.book|kernel-ipc-\d+")
    return (
        [p for p in Path(folder).rglob("*") if marks.fullmatch(p.name)]
        if Path(folder).exists()
        else []
    )


def differences(wanted, found):
    """Names of files that differ, are missing or too many, with the number of bytes that are not
    as wanted.
    """
    rows = []
    for name in sorted(wanted.keys() | found.keys()):
        one, two = wanted.get(name, b""), found.get(name, b"")
        if (name in wanted) != (name in found) or one != two:
            n = min(len(one), len(two))
            same = np.frombuffer(one[:n], np.uint8) == np.frombuffer(two[:n], np.uint8)
            rows.append((name, max(len(one), len(two)) - int(same.sum())))
    return rows


# ---- contents without clock ----------------------------------------------------------


def content(folder):
    """Bytes of every file below a folder by its path, without what :data:`CLOCKS` takes out."""
    folder = Path(folder)
    paths = [
        p
        for p in sorted(folder.rglob("*"))
        if not p.is_dir() and p.name not in _pictures_of_time(folder)
    ]
    return {path.relative_to(folder).as_posix(): _timeless(path) for path in paths}


def _timeless(path):
    for pattern, clean in CLOCKS.items():
        if re.fullmatch(pattern, path.name):
            return clean(path.read_bytes())
    return b"a socket" if path.is_socket() else path.read_bytes()


def _pictures_of_time(folder):
    """Names of the pictures in the book that give a time in their title."""
    page = folder / "html" / "search" / "05_optimization.html"
    return (
        {Path(src.decode()).name for _, src in re.findall(_PICTURE, page.read_bytes())}
        if page.exists()
        else set()
    )


def _table(data):
    return (
        pd.read_csv(io.BytesIO(data), dtype=str)
        .drop(columns="seconds")
        .to_csv(index=False)
        .encode()
    )


def _lines(data):
    return b"\n".join(_json(line) for line in data.split(b"\n") if line)


def _json(data):
    return json.dumps(_without(json.loads(data), {"seconds", "timings_s"}), sort_keys=True).encode()


def _without(value, names):
    if isinstance(value, dict):
        return {k: _without(v, names) for k, v in value.items() if k not in names}
    return [_without(v, names) for v in value] if isinstance(value, list) else value


def _notebook(data):
    book = _without(json.loads(data), {"papermill", "execution"})
    for cell in book["cells"]:
        if "injected-parameters" in cell["metadata"].get("tags", []):
            del cell["id"]  # random
        if any(words in "".join(cell["source"]) for words in _DRAWN_TIMES):
            del cell["outputs"]
    return _text(json.dumps(book, sort_keys=True).encode())


def _text(data):
    for pattern, kept in ((_PRINTED, b""), (_TABLE, b""), (_PICTURE, rb"\1")):
        data = re.sub(pattern, kept, data, flags=re.DOTALL)
    return data


def _index(data):
    index = json.loads(data[data.index(b"(") + 1 : data.rindex(b")")])
    for kind in ("terms", "titleterms"):
        index[kind] = {term: where for term, where in index[kind].items() if not term.isdigit()}
    return json.dumps(index, sort_keys=True).encode()


def _model(data):
    from bfo_utils.vae import read_network

    state = _without(read_network(io.BytesIO(data.split(b"\n", 2)[-1])), {"seconds"})
    return repr(_plain(state)).encode()


def _plain(value):
    """Tensors as the hash of their bytes."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return hashlib.sha256(value.numpy().tobytes()).hexdigest() if hasattr(value, "numpy") else value


# In the cells that show wall times.
_DRAWN_TIMES = ("figures.plot_trials(table)", 'result["timings_s"]', '"seconds": o.seconds')
_PRINTED = rb'\\*"timings_s\\*": \{[^}]*\}'
_TABLE = rb"<th>seconds</th>.*?</table>"
_PICTURE = rb'(alt="Total reward of every trial[^>]*src=)"([^"]*)"'
#: What is taken out, by the name of the file: wall times in tables, records and results; in
#: notebooks the metadata of papermill and the
#: random names that it gives cells, the times that the report lists and the picture with a time in
#: its title; the same in the pages, and
#: numbers in their search index; the wall time of every epoch of a model.
CLOCKS = {
    r"(trials|pareto)\.csv": _table,
    r".*\.jsonl": _lines,
    r"(result|search)\.json": _json,
    r".*\.ipynb": _notebook,
    r".*\.html": _text,
    r"searchindex\.js": _index,
    r".*\.vae": _model,
}
