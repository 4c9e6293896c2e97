"""Sphinx extension: what the tools put wrong into every page is put right just before the page is
written.

The scripts of Thebe, which would run cells on a server, come twice, and the second time is an error
in the browser's console. Entries of a bibliography are no list items to a screen reader, although
they stand in a list, and the switches that unfold the contents have no name. Added: the reading
time of a lesson, counted from its words, and links that open a figure in its full size.
"""

import re

WORDS_PER_MINUTE = 200
_FIGURE = r'(?<!">)(<img [^>]*src="([^"]+)"[^>]*>)(?=\s*<figcaption)'  # that no link holds yet
_UNREAD = "pre|details|table|script|style|svg|iframe"  # code, numbers, and what is unfolded at will


def setup(app) -> dict:
    """Look through every page just before it is written, after the theme has had its turn."""
    app.connect("html-page-context", _repair, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _repair(app, pagename, templatename, context, doctree) -> None:
    context["script_files"] = [
        file for file in context["script_files"] if "thebe" not in _text(file).lower()
    ]
    body = context.get("body", "").replace('role="doc-biblioentry"', 'role="listitem"')
    body = re.sub(_FIGURE, r'<a href="\2">\1</a>', body)
    context["body"] = body.replace("</h1>", f"</h1>{reading_time(body)}", 1)
    contents = context["generate_toctree_html"]
    context["generate_toctree_html"] = lambda *args, **options: str(
        contents(*args, **options)
    ).replace("<summary>", '<summary aria-label="pages below">')


def reading_time(body: str) -> str:
    """The minutes that the words of a lesson take to read; nothing for other pages."""
    if 'id="what-you-will-learn"' not in body:
        return ""
    text = re.sub(rf"<({_UNREAD})\b.*?</\1>|<[^>]+>", " ", body, flags=re.S)
    minutes = max(1, round(len(text.split()) / WORDS_PER_MINUTE))
    return f'<p class="bfo-minutes">Reading time: {minutes} min</p>'


def _text(file) -> str:
    return f"{getattr(file, 'filename', file)} {getattr(file, 'attributes', {}).get('body', '')}"
