"""Download of the Sm-BFO series, checked against the record's MD5 sums."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..compute import Download, body, locked_folder, partial, to_disk, writing
from ..errors import InputError
from .registry import (
    DICTIONARY_FILE,
    DICTIONARY_RECORD,
    SERIES_PAIRS,
    SERIES_RECORD,
    Record,
    data_folder,
    data_server,
    file_md5,
    keep_hash,
    kept_hashes,
    locate_file,
    match_file,
    pair_of,
)


@dataclass(frozen=True)
class Remote:
    """A file as listed in the record: name in the record's spelling, size in bytes, MD5 sum."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True)
class Listing:
    """Contents of a record, and its license."""

    files: tuple[Remote, ...]
    license: str

    def find(self, name: str) -> Remote:
        """The file with a given name, in any case.

        Raises
        ------
        InputError
            If the record lists no such file.
        """
        key = match_file(name, [f.name for f in self.files])
        if key is None:
            raise InputError(
                f"{name}: the record lists no such file; it has {len(self.files)} others"
            )
        return next(f for f in self.files if f.name == key)


def to_stderr(line: str) -> None:
    """Print a line on stderr."""
    print(line, file=sys.stderr, flush=True)


def fetch_series(
    ids: Sequence[str] = (),
    where: str | Path | None = None,
    server: str | None = None,
    say: Callable[[str], None] = to_stderr,
) -> dict[str, tuple[Path, Path]]:
    """Download pairs of the Sm-BFO series, or find those downloaded earlier.

    The network is not used if all files exist with the MD5 sums recorded after their download.

    Parameters
    ----------
    ids : sequence of str
        Ids of the pairs, in any case; all 14 if empty.
    where : str or Path, optional
        Folder of the files, see :func:`bfo_utils.smbfo.data_folder`.
    server : str, optional
        See :func:`bfo_utils.smbfo.data_server`.
    say : callable
        Called with one line (size, license and citation) before the download.

    Returns
    -------
    dict of str to tuple of Path
        Image and parameter file of every id.

    Raises
    ------
    InputError
        If an id is unknown, a folder cannot be written or lacks space, a server cannot be reached
        or has no such file, or the MD5 sum of a file is not the record's. Such a file is deleted;
        an incomplete one is kept, so that the download can continue.
    """
    pairs = list(dict.fromkeys(pair_of(i) for i in ids)) or SERIES_PAIRS
    names = [name for p in pairs for name in (p.image, p.parameters)]
    files = _present(SERIES_RECORD, names, data_folder(where), data_server(server), say)
    return {p.id: (files[p.image], files[p.parameters]) for p in pairs}


def fetch_dictionary(
    where: str | Path | None = None,
    server: str | None = None,
    say: Callable[[str], None] = to_stderr,
) -> tuple[Path, str]:
    """Download the pickled dictionary of record 4876786 (2.1 GB), without reading it.

    Parameters
    ----------
    where, server, say
        As for :func:`fetch_series`.

    Returns
    -------
    path : Path
    md5 : str
        The record's MD5 sum of the file.
    """
    folder, name = data_folder(where), DICTIONARY_FILE
    path = _present(DICTIONARY_RECORD, [name], folder, data_server(server), say)[name]
    return path, kept_hashes(folder)[name]


def _present(
    record: Record, names: Sequence[str], folder: Path, server: str, say
) -> dict[str, Path]:
    """The paths of files of a record; those that are not there in good order are downloaded."""
    sums = kept_hashes(folder)
    missing = [n for n in names if not _good(folder, n, sums.get(n))]
    if missing:
        listing = list_record_files(record, server)
        remote = {n: listing.find(n) for n in missing}
        with locked_folder(folder, wait=True), writing(folder):
            lacking = {n: r for n, r in remote.items() if not _good(folder, n, r.md5)}
            _announce(record, listing.license, lacking, folder, say)
            for name, file in remote.items():
                if name in lacking:
                    _download(
                        record.address(server, file.name),
                        file,
                        locate_file(folder, name) or folder / name,
                    )
                keep_hash(folder, name, file.md5)
    return {n: locate_file(folder, n) or folder / n for n in names}


def _good(folder: Path, name: str, md5: str | None) -> bool:
    """Whether a file is there with an MD5 sum."""
    path = locate_file(folder, name)
    return path is not None and md5 is not None and file_md5(path) == md5


def _announce(record: Record, license: str, files: dict[str, Remote], folder: Path, say) -> None:
    """Say what is about to be downloaded; refuse it where there is no room."""
    if not files:
        return
    size = sum(file.size for file in files.values())
    say(
        f"{record.title}: {len(files)} files, {_readable(size)}, to {folder}. License: {license}. "
        f"If you use the data, cite {record.citation}"
    )
    here = sum(p.stat().st_size for n in files if (p := partial(folder / n)).exists())
    free = shutil.disk_usage(folder).free
    if size - here > free:
        raise InputError(
            f"{folder}: {_readable(free)} free, {_readable(size - here)} needed; choose another"
            " folder with --dir"
        )


def _readable(size: float) -> str:
    """A number of bytes to be read.

    Examples
    --------
    >>> _readable(157_000_000)
    '157 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def list_record_files(record: Record, server: str) -> Listing:
    """Get the list of files of a record from the archive.

    Parameters
    ----------
    record : Record
    server : str
        Address of the archive, without a slash at its end.

    Returns
    -------
    Listing

    Raises
    ------
    InputError
        If the archive cannot be reached, or the answer is not a list of files.
    """
    url = record.listing(server)
    try:
        content = json.loads(body(url))
        files = tuple(
            Remote(str(f["key"]), int(f["size"]), _checked_md5(f["checksum"]))
            for f in content["files"]
        )
        return Listing(files, _license(content.get("metadata")))
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{url}: not a list of files with MD5 sums; is this the archive, and not a login page?"
        ) from error


def _license(metadata) -> str:
    """The license that a record's metadata name."""
    license = metadata.get("license") if isinstance(metadata, dict) else None
    return str(license.get("id") if isinstance(license, dict) else license or "see the record")


def _checked_md5(text: str) -> str:
    """The digits of a checksum such as ``md5:...``; TypeError for any other kind."""
    digits = re.fullmatch(r"md5:([0-9a-f]{32})", text.lower())
    if digits is None:
        raise TypeError("no MD5 sum")
    return digits[1]


def _download(url: str, file: Remote, target: Path) -> None:
    """Fetch a file, check it, and put it in its place."""
    part = partial(target)
    Download(url, part, file.size).complete()
    if file_md5(part) != file.md5:
        part.unlink()
        raise InputError(
            f"{file.name}: the file from {url} does not have the MD5 sum {file.md5} of the record"
            " and was deleted; repeat the command to download it again"
        )
    to_disk(part)
    os.replace(part, target)
    to_disk(target.parent)
