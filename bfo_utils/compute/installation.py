"""What belongs to this installation: its files beside the code, where it can be had, and what its
extras bring.
"""

from importlib.util import find_spec
from pathlib import Path

from ..errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]


def resource_path(name: str) -> Path:
    """Path of ``book``, ``notebooks`` or ``_config.yml``: in the source tree, or inside the
    installed package.

    Examples
    --------
    >>> resource_path("notebooks").is_dir()
    True
    """
    installed = _PACKAGE / "resources" / name
    return installed if installed.exists() else _PACKAGE.parent / name


def repository_url() -> str:
    """Address of the public repository, as ``_config.yml`` has it; empty where there is none.

    Examples
    --------
    >>> repository_url()
    ''
    """
    import yaml

    config = yaml.safe_load(resource_path("_config.yml").read_text("utf-8"))
    return config["repository"]["url"] or ""


def install_command(extra: str) -> str:
    """What installs the package with one of its extras, from where it can be had.

    Examples
    --------
    >>> install_command("vae")
    "pip install '.[vae]' in the folder of the source"
    """
    url = repository_url()
    if not url:
        return f"pip install '.[{extra}]' in the folder of the source"
    return f"pip install 'bfo_utils[{extra}] @ git+{url}'"


def require_extra(what: str, extra: str, *packages: str) -> None:
    """Say what to install where packages of an extra are missing.

    Parameters
    ----------
    what : str
        What needs them.
    extra : str
        The extra that brings them.
    *packages : str
        Names to import.

    Raises
    ------
    InputError

    Examples
    --------
    >>> require_extra("the moon", "cheese", "gouda", "click")
    Traceback (most recent call last):
    bfo_utils.errors.InputError: the moon: needs gouda, which is not installed; run: pip install
    '.[cheese]' in the folder of the source
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InputError(
            f"{what}: needs {' and '.join(missing)}, which {verb} not installed; run:"
            f" {install_command(extra)}"
        )
