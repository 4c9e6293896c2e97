"""Sphinx extension: pages without the scripts of Thebe, which would run cells on a server and which come with Jupyter Book.

They are put into every page twice, and the second time is an error in the browser's console.
"""


def setup(app) -> dict:
    """Look through the scripts of every page just before it is written."""
    app.connect("html-page-context", _leave_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _leave_out(app, pagename, templatename, context, doctree) -> None:
    context["script_files"] = [file for file in context["script_files"] if "thebe" not in _text(file).lower()]


def _text(file) -> str:
    return f"{getattr(file, 'filename', file)} {getattr(file, 'attributes', {}).get('body', '')}"
