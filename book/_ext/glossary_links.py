"""Sphinx extension: the first time a page uses a term of the glossary, the word links to its
entry.
"""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

#: Where a word is no running text: headings, code, formulas, what is a link already, and the
#: entries of reference lists.
_NOT_TEXT = (
    nodes.title,
    nodes.rubric,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.reference,
    addnodes.pending_xref,
    nodes.target,
    nodes.term,
    nodes.thead,
    nodes.raw,
    nodes.comment,
    nodes.citation,
    addnodes.desc,
    addnodes.glossary,
    addnodes.toctree,
)
# captions of code, and cards that are links as a whole
_COVERED = {"literal-block-wrapper", "sd-card"}


def setup(app) -> dict:
    """Register the transform, and the setting with terms that are everyday words and link only
    where marked by hand.
    """
    app.add_config_value("glossary_by_hand", [], "env")
    app.add_post_transform(GlossaryLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def pattern(terms: list[str]) -> re.Pattern:
    """A pattern that finds whole terms, each in a group of its own, the longest first.

    Terms are found in singular and plural, over line breaks, and in any case unless they hold
    capitals beyond the first letter: "STEM" is a microscope, "stem" is a word. One without any may
    begin a sentence. Names of files (evidence.py) are no terms.
    """
    longest_first = sorted(range(len(terms)), key=lambda k: (-len(terms[k]), k))
    return re.compile(
        r"(?<![\w-])(?:"
        + "|".join(f"(?P<t{k}>{_forms(terms[k])})" for k in longest_first)
        + r")(?![\w-]|\.\w)"
    )


def _forms(term: str) -> str:
    plural = "(?:y|ies)" if re.search("[^aeiou]y$", term) else "(?:|s|es)"
    stem = term[:-1] if plural.startswith("(?:y") else term
    words = r"\s+".join(map(re.escape, stem.split()))
    return (words if any(c.isupper() for c in term[1:]) else f"(?i:{words})") + plural


class GlossaryLinks(SphinxPostTransform):
    """Make links of first uses; those that the author marked with the role ``term`` count as
    uses.
    """

    # after the outputs of notebooks are chosen (4), before the author's links are resolved (10)
    default_priority = 9

    def run(self, **kwargs) -> None:
        """Go through the text of the page in order."""
        entries = {
            name: place
            for (kind, name), place in self.env.domains["std"].objects.items()
            if kind == "term"
        }
        if not entries:
            return
        self.terms = list(entries)
        self.entries, self.pattern = entries, pattern(self.terms)
        self.used = set(self.config.glossary_by_hand)
        for node in list(
            self.document.findall(lambda n: isinstance(n, (nodes.Text, addnodes.pending_xref)))
        ):
            if isinstance(node, nodes.Text):
                if self._running(node):
                    node.parent.replace(node, list(self._linked(node.astext())))
            elif node.get("reftype") == "term":
                shown = self.pattern.fullmatch(node.astext())
                self.used |= {self.terms[int(shown.lastgroup[1:])]} if shown else set()
                self.used |= {
                    term for term in self.terms if term.lower() == node["reftarget"].lower()
                }

    def _running(self, node: nodes.Text) -> bool:
        """Whether a text is read as part of the body."""
        while node.parent is not None:
            node = node.parent
            if isinstance(node, _NOT_TEXT) or _COVERED & set(node.get("classes", ())):
                return False
        return True

    def _linked(self, text: str) -> Iterator[nodes.Node]:
        """Pieces of a text, with links in the places of first uses."""
        start = 0
        for match in self.pattern.finditer(text):
            term = self.terms[int(match.lastgroup[1:])]
            if term not in self.used:
                self.used.add(term)
                yield nodes.Text(text[start : match.start()])
                yield self._link(term, match.group())
                start = match.end()
        yield nodes.Text(text[start:])

    def _link(self, term: str, words: str) -> nodes.Node:
        page, anchor = self.entries[term]
        shown = nodes.inline(words, words, classes=["xref", "std", "std-term"])
        return make_refnode(self.app.builder, self.env.docname, page, anchor, shown)
