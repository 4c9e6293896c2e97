"""Work that several configurations share, done once, also between threads."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any


class _Entry:
    def __init__(self, weight: float):
        self.lock, self.done, self.value, self.weight = Lock(), False, None, weight


class Cache:
    """Results by key, the most recently used ones kept.

    Parameters
    ----------
    size : int
        Number of results to keep.
    room : float
        What the weights of the results that are kept may add up to; a single one may weigh more.

    Examples
    --------
    >>> cache = Cache(2)
    >>> cache.once("a", lambda: 1), cache.once("a", lambda: 2)
    (1, 1)
    """

    def __init__(self, size: int, room: float = float("inf")):
        self._size, self._room, self._lock = size, room, Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def once(self, key: Hashable, make: Callable[[], Any], weight: float = 0) -> Any:
        """What ``make`` returned at the first call for ``key``; other keys do not wait for it.

        Older results make room before ``make`` is called: for a result of ``weight``, such as its
        bytes.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry(weight))
            self._entries.move_to_end(key)
            while len(self._entries) > self._size or self._full():
                self._entries.popitem(last=False)
        with entry.lock:
            if not entry.done:
                entry.value, entry.done = make(), True
            return entry.value

    def _full(self) -> bool:
        return len(self._entries) > 1 and sum(e.weight for e in self._entries.values()) > self._room
