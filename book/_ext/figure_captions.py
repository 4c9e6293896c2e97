"""Sphinx extension: the paragraph before a cell that draws a picture, if it begins in bold, becomes
the picture's caption.

In the notebook it stays where Jupyter shows it, above the code; in the book it stands below the
picture, numbered.
"""

from docutils import nodes
from sphinx.transforms import SphinxTransform


def setup(app) -> dict:
    """Register the transform; it runs when a page is read, before figures are numbered."""
    app.add_transform(Captions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Captions(SphinxTransform):
    """Wrap the pictures of every captioned cell in a figure."""

    default_priority = 500

    def apply(self, **kwargs) -> None:
        cells = [
            node
            for node in self.document.findall(nodes.container)
            if node.get("nb_element") == "cell_code"
        ]
        captioned = [cell for cell in cells if _pictures(cell) and _begins_in_bold(_before(cell))]
        for number, cell in enumerate(captioned, 1):
            _wrap(_pictures(cell), _before(cell), f"figure-{number}")


def _pictures(cell: nodes.Element) -> list[nodes.Element]:
    """The outputs of a cell that are pictures, each in all the formats that it came in."""
    bundles = [
        node for node in cell.findall(nodes.container) if node.get("nb_element") == "mime_bundle"
    ]
    return [bundle for bundle in bundles if any(map(_draws, bundle))]


def _draws(output: nodes.Element) -> bool:
    """Whether it is a picture, or HTML in which one of `bfo_utils.report` stands."""
    return output["mime_type"].startswith("image/") or (
        output["mime_type"] == "text/html" and 'class="bfo-stage"' in output.astext()
    )


def _before(cell: nodes.Element) -> nodes.Node | None:
    place = cell.parent.index(cell)
    return cell.parent[place - 1] if place else None


def _begins_in_bold(node: nodes.Node | None) -> bool:
    if not isinstance(node, nodes.paragraph):
        return False
    # an empty text may come first
    return isinstance(next((child for child in node if child.astext()), None), nodes.strong)


def _wrap(pictures: list[nodes.Element], paragraph: nodes.paragraph, name: str) -> None:
    figure = nodes.figure("", ids=[name])
    pictures[0].parent.replace(pictures[0], figure)
    for picture in pictures[1:]:
        picture.parent.remove(picture)
    paragraph.parent.remove(paragraph)
    figure += [*pictures, nodes.caption("", "", *paragraph.children)]
