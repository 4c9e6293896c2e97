"""Sphinx extension: directives that document rooms of a package, and list them, from their
docstrings.
"""

import importlib
import inspect
import pkgutil
import sys

import sphinx.ext.autodoc
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

_LONGEST = 200  # characters of a value that a page shows
_SECTION = """
## {module}

```{{eval-rst}}
.. automodule:: {room}.{module}
```
"""


def setup(app) -> dict:
    """Register the directive and the transform."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_directive("room", Room)
    app.add_directive("rooms", Rooms)
    app.add_post_transform(NamesOfModule)
    ModuleAnalyzer.get_module_source = staticmethod(_own_source)
    sphinx.ext.autodoc.object_description = _short_value
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _own_source(module: str, source=ModuleAnalyzer.get_module_source) -> tuple:
    """Source of a module of ours; autodoc would import and parse those of all base classes,
    torch among them, for nothing.
    """
    if not module.startswith("bfo_utils"):
        raise PycodeError(f"{module}: not parsed")
    return source(module)


def _short_value(value, describe=sphinx.ext.autodoc.object_description) -> str:
    """The value of a constant, if it is short; tables that fill a page are left out."""
    text = describe(value)
    return text if len(text) <= _LONGEST else "..."


def _modules(package: str) -> list[str]:
    """Names of the modules of a package, or of the rooms, but for those that begin with an
    underscore.
    """
    path = importlib.import_module(package).__path__
    return [m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")]


class Room(SphinxDirective):
    """The docstring of a room, then a section for every module in it; the argument is the room."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of the names."""
        room = self.arguments[0]
        said = inspect.getdoc(importlib.import_module(room)) or ""
        text = f"\n## What belongs here\n\n```{{eval-rst}}\n{said}\n```\n" + "".join(
            _SECTION.format(room=room, module=name) for name in _modules(room)
        )
        parent = nodes.section()
        self.state.nested_parse(
            StringList(text.splitlines(), self.env.docname),
            self.content_offset,
            parent,
            match_titles=True,
        )
        return parent.children


class Rooms(SphinxDirective):
    """A table of the rooms of a package: the first line of what each says, and its modules."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table, in the order of the names."""
        package = self.arguments[0]
        lines = ["| room | holds | modules |", "| --- | --- | --- |"]
        for name in _modules(package):
            room = importlib.import_module(f"{package}.{name}")
            if hasattr(room, "__path__"):
                first = (inspect.getdoc(room) or "").split("\n")[0]
                within = ", ".join(f"`{m}`" for m in _modules(room.__name__))
                lines.append(f"| {{doc}}`/api/{name}` | {first} | {within} |")
        parent = nodes.section()
        self.state.nested_parse(
            StringList(lines, self.env.docname), self.content_offset, parent, match_titles=True
        )
        return parent.children


class NamesOfModule(SphinxPostTransform):
    """A name in a docstring means what it means in the code of that module, where two modules
    have things of one name.
    """

    default_priority = 9  # before names are resolved (10)

    def run(self, **kwargs) -> None:
        """Write out the full names of what a module took from others."""
        for node in self.document.findall(pending_xref):
            meant = getattr(sys.modules.get(node.get("py:module")), node["reftarget"], None)
            if getattr(meant, "__module__", None) and hasattr(meant, "__qualname__"):
                node["reftarget"] = f"{meant.__module__}.{meant.__qualname__}"
