"""What would refuse files that lie if the checks of headers were a child with limits instead.

Every lie of ``tests/seeds.py`` is read in a child of its own whose address space may grow by 1.5 GB
and that is ended after 10 s of the processor: once as the package stands, once with all checks of
headers left out.
"""

import multiprocessing
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bfo_utils.errors import InputError
from bfo_utils.io import hdf5, pictures, read_image, readers
from tests.fuzzing import LONGEST, ROOM
from tests.seeds import LIES

from .tables import keep

_NEEDED = "check_mrc"  # tells the shape too
_IMPORT = "import h5py, tifffile, PIL.Image, rsciio, bfo_utils.io.images"


def main() -> None:
    """Count how files that lie end, format by format, and what a fresh child costs."""
    multiprocessing.set_start_method("fork", force=True)
    rows: list[list] = []
    with tempfile.TemporaryDirectory() as temporary:
        for suffix, lies in LIES.items():
            path, ends = Path(temporary, f"liar.{suffix}"), (Counter[str](), Counter[str]())
            for write in lies.values():
                write(path)
                for count, checked in zip(ends, (True, False)):
                    count[_end(path, checked)] += 1
            rows.append([suffix, len(lies), *(", ".join(map(_told, c.items())) for c in ends)])
    title = "Files that lie about their size"
    header = ["format", "files", "with checks", "in a child with limits only"]
    keep("headers", title, header, rows, f"A fresh child takes {_fresh():.1f} s to be ready.")


def _told(end: tuple[str, int]) -> str:
    return f"{end[1]} {end[0]}"


def _end(path: Path, checked: bool) -> str:
    """How the reading of a file ends, in a child with limits."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.Process(target=_read, args=(path, checked, sender))
    child.start()
    child.join()
    if child.exitcode == -signal.SIGXCPU:
        return "after 10 s"
    return receiver.recv() if receiver.poll() else "died"


def _read(path: Path, checked: bool, sender) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(LONGEST), int(LONGEST) + 1))
    for module in () if checked else (hdf5, pictures, readers):
        for name in {n for n in vars(module) if n.startswith("check_")} - {_NEEDED, "check_axes"}:
            setattr(module, name, lambda *args: None)
    try:
        read_image(path)
        sender.send("read")
    except InputError as error:
        out_of_memory = isinstance(error.__cause__, MemoryError) or "memory" in str(error)
        sender.send("out of memory" if out_of_memory else "refused")


def _fresh() -> float:
    """Seconds that a new process needs until it could read a file, the best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", _IMPORT], check=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
