"""Download small, openly licensed real images, each with its hash, license and citation."""

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..compute import Download, locked_folder, partial, require_extra, to_disk, writing
from ..errors import InputError

SERVER_VARIABLE = "BFO_EXAMPLES"  # environment variable: another server, as the tests have
_SERVER = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class Example:
    """A real image that anyone may use.

    Attributes
    ----------
    name : str
        Name by which :func:`fetch_example` knows it.
    address : str
        Its path on the server, at one commit, so that it never changes.
    size : int
        In bytes.
    sha256 : str
    about : str
        What it shows, in one sentence.
    license, citation : str
    """

    name: str
    address: str
    size: int
    sha256: str
    about: str
    license: str
    citation: str

    @property
    def file(self) -> str:
        """Name of the file on this machine."""
        return self.name + Path(self.address).suffix


#: The images that :func:`fetch_example` knows, by their names.
#:
#: :meta hide-value:
EXAMPLES = {
    e.name: e
    for e in (
        Example(
            "BaTiO3",
            "AliBaghizadeh/Analysis-of-atomic-displacement-in-STEM-images/"
            "7a202b7dc1ebaac5e28a063735b54557958421fe/images/BTO_crystal_2.dm4",
            2_358_495,
            "1fc81fe10c21e2c89c9fa4f8cbc82dd05aedc9b9eb5193edd4c1e03dda62626f",
            "HAADF image of BaTiO3 along [001], mean of aligned frames: titanium is dim and shifted"
            " by about 10 pm over the whole field.",
            "MIT",
            "A. Baghizadeh, Analysis of atomic displacement in STEM images, GitHub",
        ),
        Example(
            "DyScO3",
            "xinhuolin/AtomSegNet/744a5ae519d24ade7b77ec612f93f962d27dd01e/"
            "test_img/10_dso_8nm_none_none.png",
            752_215,
            "6524711eacb8b4f0f863abdc76025fd9f0133dffad4622a2dd57c6aa2fd340c7",
            "HAADF image of a DyScO3 substrate: its dysprosium columns are displaced in a zigzag,"
            " which is an ordered state, not a domain.",
            "MIT",
            "R. Lin, R. Zhang, C. Wang, X.-Q. Yang and H. L. Xin, TEMImageNet training library and"
            " AtomSegNet deep-learning models, Sci. Rep. 11, 5386 (2021)",
        ),
    )
}


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def fetch_example(
    name: str,
    where: str | Path | None = None,
    server: str | None = None,
    say: Callable[[str], None] = _to_stderr,
) -> Path:
    """Download a real image and check it, unless it is already there.

    Parameters
    ----------
    name : str
        A name of :data:`EXAMPLES`, in any case.
    where : str or Path, optional
        Folder of the file; by default ``$BFO_DATA_DIR``, else ``examples`` in the user's cache.
    server : str, optional
        Address to download from; by default ``$BFO_EXAMPLES``, else where the image is published.
    say : callable
        Called with one line (description, license and citation) before the download.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the name is unknown, the folder cannot be written, the server cannot be reached, or the
        SHA-256 of the file is not the expected one; such a file is deleted.
    """
    example = {n.lower(): e for n, e in EXAMPLES.items()}.get(name.lower())
    if example is None:
        raise InputError(
            f"example '{name}': no such image; choose one of {', '.join(sorted(EXAMPLES))}"
        )
    folder = _folder(where)
    say(f"{example.about} License: {example.license}. Cite {example.citation}")
    target = folder / example.file
    if not _same(target, example):
        with locked_folder(folder, wait=True), writing(folder):
            _download(example, target, server)
    return target


def _folder(given: str | Path | None) -> Path:
    """Folder of the examples."""
    if named := given or os.environ.get("BFO_DATA_DIR"):
        return Path(named).expanduser()
    require_extra("the folder of the examples", "data", "pooch")
    import pooch

    return Path(pooch.os_cache("bfo_utils"), "examples")


def _same(path: Path, example: Example) -> bool:
    """Whether a file exists with the right content."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == example.sha256


def _download(example: Example, target: Path, server: str | None) -> None:
    """Fetch the file, check it, and put it in its place."""
    url = f"{(server or os.environ.get(SERVER_VARIABLE) or _SERVER).rstrip('/')}/{example.address}"
    part = partial(target)
    Download(url, part, example.size).complete()
    if not _same(part, example):
        part.unlink()
        raise InputError(
            f"{example.file}: the file from {url} does not have the expected SHA-256 and was"
            " deleted; repeat the command to download it again"
        )
    to_disk(part)
    os.replace(part, target)
    to_disk(target.parent)
