"""Sphinx extension: the directive ``modules`` documents modules of a package from their docstrings."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

_SECTION = """
## {module}

```{{eval-rst}}
.. automodule:: {package}.{module}
```
"""


def setup(app) -> dict:
    """Register the directive."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Modules(SphinxDirective):
    """A section for every module named in the content; the argument is the package."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The sections, in the order of the names."""
        names = " ".join(self.content).split()
        text = "".join(_SECTION.format(package=self.arguments[0], module=name) for name in names)
        parent = nodes.section()
        self.state.nested_parse(StringList(text.splitlines(), self.env.docname), self.content_offset, parent, match_titles=True)
        return parent.children
