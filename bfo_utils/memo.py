"""Work that several configurations share, done once, also between threads."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any


class _Entry:
    def __init__(self):
        self.lock, self.done, self.value = Lock(), False, None


class Memo:
    """Results by key, the most recently used ones kept.

    Parameters
    ----------
    size : int
        Number of results to keep.

    Examples
    --------
    >>> memo = Memo(2)
    >>> memo.once("a", lambda: 1), memo.once("a", lambda: 2)
    (1, 1)
    """

    def __init__(self, size: int):
        self._size, self._lock = size, Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make`` returned at the first call for ``key``; other keys do not wait for it."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
        with entry.lock:
            if not entry.done:
                entry.value, entry.done = make(), True
            return entry.value
