"""The files of the Sm-BFO series: ids, names, records, addresses, and the hashes of downloaded
files.

The series shows films of Sm-doped BiFeO3 with 0 to 20 % Sm: 14 images, each with the authors'
parameterization of its unit cells. Names are matched without regard to case, because one of them is
spelled differently from its pair.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..compute import read_json, require_extra, write_json
from ..errors import InputError

#: Environment variables for the download folder, and for a server other than Zenodo (a mirror, a
#: test).
FOLDER_VARIABLE, SERVER_VARIABLE = "BFO_DATA_DIR", "BFO_ZENODO"
HASHES = "md5.json"  # beside the files: the MD5 sum of each after its first good download
_PAPER = "Ziatdinov et al., npj Comput. Mater. 6, 127 (2020), doi:10.1038/s41524-020-00396-2"
_DATA = "doi:10.13139/ORNLNCCS/1773704"


@dataclass(frozen=True)
class Record:
    """A record of the archive: its number, contents and citation."""

    number: int
    title: str
    citation: str

    def listing(self, server: str) -> str:
        """Address of the record's description, which lists its files with sizes and MD5 sums."""
        return f"{server}/api/records/{self.number}"

    def address(self, server: str, name: str) -> str:
        """Address of one of its files.

        Examples
        --------
        >>> SERIES_RECORD.address("https://zenodo.org", "Sm_0_0_HAADF.h5")
        'https://zenodo.org/records/4555979/files/Sm_0_0_HAADF.h5?download=1'
        """
        return f"{server}/records/{self.number}/files/{quote(name, safe='')}?download=1"


@dataclass(frozen=True)
class Pair:
    """An image of the series and the file with the authors' parameterization, in the spelling of
    the record.
    """

    id: str
    image: str
    parameters: str

    @property
    def samarium(self) -> int:
        """Sm content in per cent.

        Examples
        --------
        >>> pair_of("Sm_13_0").samarium
        13
        """
        return int(self.id.split("_")[1])


SERIES_RECORD = Record(
    4555979, "Sm-BFO series", f"{_PAPER}; data {_DATA}, doi:10.5281/zenodo.4555979"
)
DICTIONARY_RECORD = Record(
    4876786,
    "Sm-BFO series as one pickled dictionary",
    f"{_PAPER}; data {_DATA}, doi:10.5281/zenodo.4876786",
)
DICTIONARY_FILE = "composition_series_dict_full.npy"
SERIES_IDS = tuple(
    f"Sm_{x}_{k}" for x, count in ((0, 3), (7, 5), (10, 2), (13, 2), (20, 2)) for k in range(count)
)
_OTHER_SPELLING = {"Sm_10_0_HAADF.h5": "SM_10_0_HAADF.h5"}
SERIES_PAIRS = tuple(
    Pair(i, _OTHER_SPELLING.get(f"{i}_HAADF.h5", f"{i}_HAADF.h5"), f"{i}_UCParameterization.h5")
    for i in SERIES_IDS
)


def pair_of(name: str) -> Pair:
    """The pair of an id, in any case.

    Parameters
    ----------
    name : str
        One of :data:`SERIES_IDS`.

    Returns
    -------
    Pair

    Raises
    ------
    InputError
        If the series has no such image.

    Examples
    --------
    >>> pair_of("sm_10_0").image
    'SM_10_0_HAADF.h5'
    """
    found = match_file(name, SERIES_IDS)
    if found is None:
        raise InputError(
            f"id '{name}': not in the Sm-BFO series; choose from {', '.join(SERIES_IDS)}"
        )
    return SERIES_PAIRS[SERIES_IDS.index(found)]


def match_file(name: str, names: Iterable[str]) -> str | None:
    """The one of several names that equals ``name`` without regard to case; an exact match has
    priority.

    Examples
    --------
    >>> match_file("SM_10_0_HAADF.h5", ["Sm_10_0_HAADF.h5"])
    'Sm_10_0_HAADF.h5'
    """
    alike = [n for n in names if n.lower() == name.lower()]
    return name if name in alike else next(iter(alike), None)


def data_folder(given: str | Path | None = None) -> Path:
    """Folder of the series: the given folder, otherwise that of ``BFO_DATA_DIR``, otherwise the
    user's cache.

    Examples
    --------
    >>> data_folder("here").name
    'here'
    """
    if named := given or os.environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    require_extra("the folder of the series", "data", "pooch")
    import pooch

    return Path(pooch.os_cache("bfo_utils"), "smbfo")


def data_server(given: str | None = None) -> str:
    """Address of the archive: the given address, otherwise that of ``BFO_ZENODO``, otherwise
    Zenodo's.

    Raises
    ------
    InputError
        If it is not a web address.

    Examples
    --------
    >>> data_server("http://127.0.0.1:8000/")
    'http://127.0.0.1:8000'
    """
    address = given or os.environ.get(SERVER_VARIABLE) or "https://zenodo.org"
    if not re.match(r"https?://[^/]", address):
        raise InputError(
            f"server '{address}': not a web address; give one such as https://zenodo.org"
        )
    return address.rstrip("/")


def locate_file(where: Path, name: str) -> Path | None:
    """A file in a folder, with its name in any case; None if there is none."""
    found = (
        match_file(name, sorted(p.name for p in where.iterdir() if p.is_file()))
        if where.is_dir()
        else None
    )
    return where / found if found else None


def available_pairs(where: str | Path, most: int = len(SERIES_PAIRS)) -> list[Pair]:
    """Pairs of the series whose image is in a folder.

    Parameters
    ----------
    where : str or Path
        Folder of the files from ``bfo fetch smbfo --dir``.
    most : int
        Largest number of pairs of each composition.

    Returns
    -------
    list of Pair
        By composition.

    Raises
    ------
    InputError
        If there is none.
    """
    kept: list[Pair] = []
    for one in SERIES_PAIRS:
        alike = [p for p in kept if p.samarium == one.samarium]
        if len(alike) < most and locate_file(Path(where), one.image):
            kept.append(one)
    if not kept:
        raise InputError(
            f"{where}: holds no image of the Sm-BFO series; download it with: bfo fetch smbfo --dir"
            f" {where}"
        )
    return kept


def file_md5(path: Path) -> str:
    """MD5 sum of a file, as given by the archive. It protects against damage, not against an
    attacker.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def kept_hashes(where: Path) -> dict[str, str]:
    """MD5 sums recorded in a folder, by the names of this registry; empty before the first
    download.
    """
    path = where / HASHES
    sums = read_json(path) if path.exists() else {}
    if not isinstance(sums, dict):
        raise InputError(f"{path}: not a list of MD5 sums; move it away and run again")
    return sums


def keep_hash(where: Path, name: str, checksum: str) -> None:
    """Record the MD5 sum of a file that was downloaded and verified."""
    write_json(where / HASHES, kept_hashes(where) | {name: checksum})
