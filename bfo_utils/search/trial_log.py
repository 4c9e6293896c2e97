"""Record of every evaluated configuration on disk, from which an interrupted search continues."""

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from ..compute import atomic, writing
from ..errors import InputError


class TrialLog:
    """Rewards of the configurations evaluated so far. Each one is written to the file before the
    next begins, so a killed process loses none. (A power failure may lose the last seconds.)

    A search is deterministic given its rewards. If it is run again with its log, it proposes the
    same configurations, takes their rewards from the file, and ends with the same result as an
    uninterrupted search.

    Parameters
    ----------
    path : Path or None
        File of JSON lines; None keeps the record in memory.
    settings : mapping
        Everything but the configuration that affects the rewards (image, seed, total). A file with
        other settings is started again.

    Examples
    --------
    >>> trial_log = TrialLog(None, {})
    >>> trial_log.put({"n_clusters": 3}, {"total": 0.5}, 0.02)
    >>> trial_log.get({"n_clusters": 3})
    ({'total': 0.5}, 0.02)
    """

    def __init__(self, path: Path | None, settings: Mapping):
        self._path, self._known = path, {}
        self._lines = [json.dumps({"settings": settings}, sort_keys=True)]
        self._begun, self._lock = False, Lock()
        lines = _whole_lines(path) if path else []
        if lines[:1] == self._lines:
            self._lines = lines[:1] + [line for line in lines[1:] if _is_entry(json.loads(line))]
            for entry in map(json.loads, self._lines[1:]):
                self._known[entry["key"]] = (entry["rewards"], entry["seconds"])

    def get(self, key: Mapping) -> tuple[dict[str, float], float] | None:
        """Rewards and wall time of a configuration; None if it was not evaluated."""
        return self._known.get(_name(key))

    def put(self, key: Mapping, rewards: Mapping[str, float], seconds: float) -> None:
        """Record a configuration; it is in the file when this returns."""
        self._known[_name(key)] = (dict(rewards), seconds)
        if self._path is None:
            return
        line = json.dumps({"key": _name(key), "rewards": dict(rewards), "seconds": seconds})
        with self._lock:
            if not self._begun:  # only now: a call that fails before its first trial leaves no file
                _rewrite(self._path, self._lines)
                self._begun = True
            with writing(self._path), self._path.open("a") as file:
                file.write(line + "\n")


def _name(key: Mapping) -> str:
    return json.dumps(dict(key), sort_keys=True)


def _whole_lines(path: Path) -> list[str]:
    """Lines of the file that were written to their end; a torn last line is left out."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as a record of trials ({error}); move it away and run again"
        ) from error
    whole = text.split("\n")[:-1]
    return [line for line in whole if _is_json(line)]


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_entry(entry) -> bool:
    """Whether a line is one that :meth:`TrialLog.put` wrote; other lines count as torn."""
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("key"), str)
        or not isinstance(entry.get("rewards"), dict)
    ):
        return False
    return all(
        isinstance(number, int | float)
        for number in (entry.get("seconds"), *entry["rewards"].values())
    )


def _rewrite(path: Path, lines: list[str]) -> None:
    with atomic(path) as part:
        part.write_text("".join(line + "\n" for line in lines))
