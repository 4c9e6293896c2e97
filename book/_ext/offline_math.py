"""Sphinx extension: equations as MathML, which browsers draw themselves, so that the book reads
without a network.
"""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

_LOGGER = logging.getLogger(__name__)


def setup(app) -> dict:
    """Register the renderer under the name that ``html_math_renderer`` selects."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def convert(tex: str, block: bool = False, location=None) -> str:
    """MathML of a formula; what cannot be converted stays TeX, with a warning that fails a
    strict build.
    """
    try:
        return tex2mathml(tex.strip(), as_block=block)
    except MathError as error:
        _LOGGER.warning("formula %r cannot be drawn: %s", tex, error, location=location)
        return f"<code>{tex}</code>"


def _inline(self, node) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(convert(node.astext(), location=node) + "</span>")
    raise nodes.SkipNode


def _block(self, node) -> None:
    # wide ones are scrolled by keys
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight", tabindex="0"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(convert(node.astext(), block=True, location=node) + "</div>")
    raise nodes.SkipNode
