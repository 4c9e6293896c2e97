"""Check whether this machine is ready for the book and a workshop."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..compute import install_command, n_cores, require_extra
from ..errors import InputError
from ..report import find_browser
from ..vae import require_vae
from .build import BOOK_PACKAGES

LEAST_SPACE_GB = (
    1.0  # a book with its artifacts takes some 0.1 GB, and papermill and Sphinx as much
)
LEAST_MEMORY_GB = 4.0  # the default book takes 1.5 GB with autoencoders
_KERNEL_S = 60  # until a kernel that answers has answered


@dataclass(frozen=True)
class MachineCheck:
    """The result of one check.

    Attributes
    ----------
    what : str
    state : {"ok", "missing", "wanting"}
        "wanting": only some commands need it.
    said : str
        What was found and, if something is wrong, what to do.
    """

    what: str
    state: str
    said: str


def examine(folder: str | Path = ".", kernel: bool = True) -> list[MachineCheck]:
    """Check this machine for everything that the commands need.

    Parameters
    ----------
    folder : str or Path
        Where results will be written.
    kernel : bool
        Also start the kernel that executes notebooks, which takes a few seconds.

    Returns
    -------
    list of MachineCheck

    Examples
    --------
    >>> [finding.what for finding in examine(kernel=False)][:3]
    ['Python', 'folder', 'memory']
    """
    looked = [
        _python(),
        _space(Path(folder)),
        _memory(),
        _checked(
            "notebooks", lambda: require_extra("bfo run", "book", *BOOK_PACKAGES), "can be run"
        ),
        _checked("autoencoders", require_vae, "torch and AtomAI are installed"),
        _checked(
            "downloads",
            lambda: require_extra("bfo fetch", "data", "pooch", "requests"),
            "bfo fetch works",
        ),
        _checked("browser", find_browser, "bfo pdf works"),
    ]
    if kernel and looked[3].state == "ok":
        looked.append(_checked("kernel", _kernel, "starts and imports bfo_utils", "missing"))
    return looked


def _python() -> MachineCheck:
    version = ".".join(map(str, sys.version_info[:3]))
    return MachineCheck("Python", "ok", f"{version} ({n_cores()} cores)")


def _space(folder: Path) -> MachineCheck:
    """Whether results can be written, and how much."""
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".bfo-"):
            free = shutil.disk_usage(folder).free / 1e9
    except OSError as error:
        said = f"{folder}: {error.strerror}; change to another folder"
        return MachineCheck("folder", "missing", said)
    if free < LEAST_SPACE_GB:
        return MachineCheck(
            "folder", "missing", f"{free:.1f} GB free; at least {LEAST_SPACE_GB:g} GB are needed"
        )
    return MachineCheck("folder", "ok", f"writable, {free:.0f} GB free")


def _memory() -> MachineCheck:
    """The memory of the machine, where the system tells."""
    with suppress(AttributeError, ValueError, OSError):
        gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        if gigabytes < LEAST_MEMORY_GB:
            said = f"{gigabytes:.1f} GB; give `-p vae_budget=0` to leave out the autoencoders"
            return MachineCheck("memory", "wanting", said)
        return MachineCheck("memory", "ok", f"{gigabytes:.0f} GB")
    return MachineCheck("memory", "ok", "not reported by this system")


def _checked(
    what: str, check: Callable[[], object], fine: str, state: str = "wanting"
) -> MachineCheck:
    """A check that raises InputError where something is not right."""
    try:
        check()
    except InputError as error:
        return MachineCheck(what, state, str(error))
    return MachineCheck(what, "ok", fine)


def _kernel() -> None:
    """Start a kernel in a process of its own, and let it compute."""
    code = (
        "from jupyter_client.manager import start_new_kernel\n"
        "manager, client = start_new_kernel()\n"
        "reply = client.execute_interactive('import bfo_utils', timeout=50)\n"
        "manager.shutdown_kernel(now=True)\n"
        "raise SystemExit(reply['content']['status'] != 'ok')"
    )
    command = [sys.executable, "-P", "-c", code]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_KERNEL_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"no answer within {_KERNEL_S} s; close other programs") from None
    if done.returncode:
        last = (done.stderr.strip() or "no answer").splitlines()[-1]
        raise InputError(f"does not start: {last}; run: {install_command('book')}")
