"""A worker that reads enemies' files under limits, and what became of every file.

As a program it reads a path per line and answers with a line of JSON; see `Worker`.
"""

import gc
import json
import os
import resource
import select
import subprocess
import sys
import time
from pathlib import Path

LONGEST = 10.0  # s of the processor that a reader may take
PATIENCE = 60.0  # s until a worker that says nothing is ended: the processor may have other work
ROOM = 3 * 2**29  # bytes that a reader may take on top of what the worker has at its start
READ, REFUSED = "read", "refused"


class Worker:
    """A process that reads files and is started again when it dies or hangs.

    Its address space may grow by `ROOM` only, so that a reader which allocates what a header states
    gets a MemoryError; that is a failure, as is whatever does not end in an image or in one line
    that begins with the path.
    """

    def __init__(self, log: Path):
        self._log, self._process = log, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()

    def read(self, path: Path) -> str:
        """Read a file: "read", "refused", or what went wrong."""
        process = self._running()
        process.stdin.write(f"{path}\n".encode())
        process.stdin.flush()
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            self._end()
            return f"hangs for {PATIENCE} s"
        answer = process.stdout.readline()
        if answer:
            return _judged(json.loads(answer), path)
        status = process.wait()
        self._end()
        return f"dies with status {status}: {self._log.read_text()[-300:]}"

    def _running(self):
        if self._process is None:
            command = [sys.executable, "-m", "tests.fuzzing"]
            environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            with self._log.open("w") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    cwd=Path(__file__).parents[1],
                )
            self._process.stdout.readline()
        return self._process

    def _end(self):
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _judged(answer: dict, path: Path) -> str:
    """The answer of the worker about a file, as one word or as what is wrong with it."""
    text = answer["text"]
    if answer["seconds"] > LONGEST:
        return f"takes {answer['seconds']:.0f} s"
    if answer["outcome"] != REFUSED:
        return answer["outcome"] if answer["outcome"] == READ else f"{answer['outcome']}: {text}"
    if not text.startswith(f"{path}: ") or "\n" in text or len(text) > len(str(path)) + 400:
        return f"is refused with {text!r}"
    return f"memory: {text}" if answer["cause"] == "MemoryError" else REFUSED


def _answer(path: str) -> dict:
    from bfo_utils.errors import InputError
    from bfo_utils.io import read_image

    try:
        read_image(path)
    except InputError as error:
        cause = error.__cause__
        return {
            "outcome": REFUSED,
            "text": str(error),
            "cause": "MemoryError" if isinstance(cause, MemoryError) else "",
        }
    except BaseException as error:
        return {"outcome": type(error).__name__, "text": str(error)[:200]}
    return {"outcome": READ, "text": ""}


def _serve() -> None:
    from .io.test_images import RAMP  # and with it every library that a reader of ours needs

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    pages = (
        int(Path("/proc/self/statm").read_text().split()[0])
        if Path("/proc/self/statm").exists()
        else 0
    )
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM,) * 2)
    print(RAMP.size, file=answers, flush=True)
    modules = 0
    for line in sys.stdin:
        if (
            len(sys.modules) != modules
        ):  # what is loaded stays: every refusal collects garbage, and need not look at it
            modules = len(sys.modules)
            gc.freeze()
        started = time.process_time()
        answer = _answer(line.rstrip("\n"))
        print(
            json.dumps(answer | {"seconds": time.process_time() - started}),
            file=answers,
            flush=True,
        )


if __name__ == "__main__":
    _serve()
