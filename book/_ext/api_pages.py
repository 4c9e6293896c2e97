"""Sphinx extension: the directive ``room`` documents all modules of a room by autodoc.

Our own, as autosummary writes pages that are not in the book's contents, which Jupyter Book
leaves out.
"""

import importlib
import pkgutil

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

_ROOM = """
## What belongs here

```{{eval-rst}}
.. automodule:: {0}
   :no-members:
```
"""
_MODULE = """
## {1}

```{{eval-rst}}
.. automodule:: {0}.{1}
```
"""


def setup(app) -> dict:
    """Register the directive."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.autosummary")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_directive("room", Room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Room(SphinxDirective):
    """The docstring of a room, then a section for every module in it; the argument is the room."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of the names."""
        room = self.arguments[0]
        names = [m.name for m in pkgutil.iter_modules(importlib.import_module(room).__path__)]
        text = _ROOM.format(room) + "".join(_MODULE.format(room, name) for name in names)
        return self.parse_text_to_nodes(text, allow_section_headings=True)
