"""Fingerprint of the rewards: recorded values are reused only if it is unchanged."""

import hashlib
import pickle
import sys
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType

import joblib
import numpy as np

from .registry import _REWARDS
from .scoring import reward_names  # which registers the built-in ones

_ROOMS = ("rewards", "segmentation")  # whose code stands behind every reward
_INSTALLED = {"site-packages", "dist-packages"}
_CONSTANT = bool | int | float | str | tuple | np.ndarray


def rewards_fingerprint() -> str:
    """Hash of everything but the map that affects the registered rewards.

    It covers the sources of the rooms ``rewards`` and ``segmentation``. For a user's reward it
    covers the source of its file and of the files that it imports (except installed packages), and
    its state: the contents of a :class:`functools.partial`, a closure or a callable object. For a
    function without a file, for example in a notebook, it covers the code and the global values
    that the code uses. State that cannot be hashed makes every fingerprint different.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> rewards_fingerprint() == rewards_fingerprint()
    True
    """
    home, seen = Path(__file__).parents[1], dict[int, object]()
    texts = [path.read_text("utf-8") for room in _ROOMS for path in _sources(home / room)]
    for name in reward_names():
        texts += [name, *_texts(_REWARDS[name], seen)]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _sources(folder: str | Path) -> list[Path]:
    return sorted(Path(folder).rglob("*.py"))


def _texts(value, seen: dict[int, object]) -> Iterator[str]:
    """Texts that change with anything that a value is made of; nothing is described twice."""
    if isinstance(value, set | frozenset):
        yield from sorted("\1".join(_texts(member, seen)) for member in value)
        return
    members = _members(value)
    if members is None:
        yield _plain_hash(value)
    elif id(value) not in seen:
        seen[id(value)] = value
        for member in members:
            yield from _texts(member, seen)


def _members(value) -> list | None:
    """What a value is made of; None for one that is hashed as a whole."""
    held: list
    match value:
        case partial():
            return [value.func, value.args, value.keywords]
        case MethodType():
            return [value.__func__, value.__self__]
        case FunctionType():
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            held = [value.__defaults__, value.__kwdefaults__, cells]
            return [value.__code__, *held, *_surroundings(value)]
        case CodeType():
            return [value.co_code, value.co_names, value.co_consts]
        case dict():
            return [*value.items()]
        case list() | tuple():
            return [*value]
        case ModuleType():
            return [*_module_sources(value), *_own_modules(vars(value))]
        case type() if _is_own(value.__module__):
            held = [v for v in vars(value).values() if isinstance(v, FunctionType | _CONSTANT)]
            return [value.__qualname__, *value.__bases__, *held]
    own = not isinstance(value, type) and _is_own(type(value).__module__)
    return [type(value), value.__getstate__()] if own else None


def _surroundings(function: FunctionType) -> list:
    """The file of a function and what it imports; without a file the globals that it names."""
    names, path = function.__globals__, Path(function.__code__.co_filename)
    if path.is_file():
        return [path.read_text("utf-8"), *_own_modules(names)]
    return [(name, names[name]) for name in _named(function.__code__) if name in names]


def _named(code: CodeType) -> list[str]:
    """Names that code refers to, those of the functions inside it among them."""
    inner = [c for c in code.co_consts if isinstance(c, CodeType)]
    return [*code.co_names, *(name for c in inner for name in _named(c))]


def _own_modules(names: Mapping) -> list[ModuleType]:
    """The user's modules that a namespace holds, or holds something of."""
    homes = [v.__name__ if isinstance(v, ModuleType) else _home(v) for v in names.values()]
    return [sys.modules[h] for h in dict.fromkeys(homes) if h in sys.modules and _is_own(h)]


def _home(value) -> str:
    home = getattr(value, "__module__", None)
    return home if isinstance(home, str) else ""


def _module_sources(module: ModuleType) -> list[str]:
    """Source of a module; of a package all, for what of it is loaded depends on what ran before."""
    top = sys.modules.get(module.__name__.partition(".")[0], module)
    files = [path for folder in getattr(top, "__path__", ()) for path in _sources(folder)]
    own = getattr(module, "__file__", None)
    return [path.read_text("utf-8") for path in files or ([Path(own)] if own else [])]


def _is_own(module: str) -> bool:
    """Whether a module is the user's: neither of Python, nor of this package, nor installed."""
    top = module.partition(".")[0]
    where = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    shared = top == "bfo_utils" or top in sys.stdlib_module_names
    return not shared and not _INSTALLED & set(where.parts)


def _plain_hash(value) -> str:
    try:
        return joblib.hash(value)
    except (pickle.PicklingError, TypeError, AttributeError):
        return uuid.uuid4().hex
