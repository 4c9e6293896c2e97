"""Child processes: nothing of the working folder or of the user's Jupyter reaches them."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

#: What keeps a Python from importing what lies in the folder that it is started in.
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
_DROPPED = (
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "PYTHONWARNINGS",
    "MPLBACKEND",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_PLATFORM_DIRS",
)
_KERNEL = {
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3",
    "language": "python",
}
_STREAMS = {"stdin": "r", "stdout": "w", "stderr": "w"}


@contextmanager
def environment(changes: Mapping[str, str], dropped: tuple[str, ...] = ()) -> Iterator[None]:
    """Change variables of the environment for a block, children that it starts included.

    Parameters
    ----------
    changes : mapping of str to str
    dropped : tuple of str
        Names of variables that are taken away.

    Examples
    --------
    >>> with environment({"BFO_EXAMPLE": "1"}):
    ...     os.environ["BFO_EXAMPLE"]
    '1'
    >>> "BFO_EXAMPLE" in os.environ
    False
    """
    before = {name: os.environ.get(name) for name in (*changes, *dropped)}
    for name in dropped:
        os.environ.pop(name, None)
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


@contextmanager
def own_jupyter(folder: str | Path) -> Iterator[None]:
    """A Jupyter that knows one kernel, this Python, and no file of the user's.

    Parameters
    ----------
    folder : str or Path
        Where its files lie during the block.
    """
    home = Path(folder, f".jupyter.{os.getpid()}.part").absolute()
    spec = home / "kernels" / "python3" / "kernel.json"
    try:
        spec.parent.mkdir(parents=True, exist_ok=True)
        spec.write_text(json.dumps(_KERNEL))
        names = (
            "JUPYTER_PATH",
            "JUPYTER_DATA_DIR",
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_RUNTIME_DIR",
            "IPYTHONDIR",
        )
        with environment(
            SAFE_PATH
            | dict.fromkeys(names, str(home))
            | {
                "JUPYTER_NO_CONFIG": "1",
                "JUPYTER_PREFER_ENV_PATH": "0",
            },
            _DROPPED,
        ):
            yield
    finally:
        rmtree(home, ignore_errors=True)


def open_closed_streams() -> None:
    """Give a process without standard streams, started by cron say, such that lead nowhere."""
    for name, mode in _STREAMS.items():
        if getattr(sys, name) is None:
            # It takes the lowest number that is free: its own.
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
