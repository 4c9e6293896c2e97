"""Sphinx extension: what the tools put wrong into every page is put right just before the page is
written.

The scripts of Thebe, which would run cells on a server, come twice, and the second time is an error
in the browser's console. Entries of a bibliography are no list items to a screen reader, although
they stand in a list, and the switches that unfold the contents have no name.
"""


def setup(app) -> dict:
    """Look through every page just before it is written, after the theme has had its turn."""
    app.connect("html-page-context", _repair, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _repair(app, pagename, templatename, context, doctree) -> None:
    context["script_files"] = [
        file for file in context["script_files"] if "thebe" not in _text(file).lower()
    ]
    context["body"] = context.get("body", "").replace('role="doc-biblioentry"', 'role="listitem"')
    contents = context["generate_toctree_html"]
    context["generate_toctree_html"] = lambda *args, **options: str(
        contents(*args, **options)
    ).replace("<summary>", '<summary aria-label="pages below">')


def _text(file) -> str:
    return f"{getattr(file, 'filename', file)} {getattr(file, 'attributes', {}).get('body', '')}"
