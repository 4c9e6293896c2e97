"""Where the notebooks and the pages of the book are: in the source tree, or inside the installed
package.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def resource_path(name: str) -> Path:
    """Path of ``book``, ``notebooks`` or ``_config.yml``.

    Examples
    --------
    >>> resource_path("notebooks").is_dir()
    True
    """
    installed = _PACKAGE / "resources" / name
    return installed if installed.exists() else _PACKAGE.parent / name
