"""Sphinx extension: launch buttons that open the notebooks of the repository, where it has a public
address.

The theme makes the links from the place of a page in the book. But the pages are executed copies,
``default/01_data`` say, which the repository does not hold: there the notebook is
``notebooks/01_data.ipynb``. Without an address there are no buttons.
"""

from pathlib import PurePosixPath

FOLDER = "notebooks"  # of the repository


def setup(app) -> dict:
    """Correct the links after the theme has made them."""
    app.add_config_value("launch_not_on_binder", [], "html")
    app.connect("config-inited", _without_address)
    app.connect("html-page-context", _correct, priority=502)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def notebook(pagename: str) -> str:
    """Path in the repository of the notebook that a page was made from."""
    return f"{FOLDER}/{PurePosixPath(pagename).name}.ipynb"


def _without_address(app, config) -> None:
    """Take away what the theme would make links of."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        for name in ("launch_buttons", "repository_url", "repository_branch"):
            options.pop(name, None)


def _correct(app, pagename, templatename, context, doctree) -> None:
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            group["buttons"] = [
                button | {"url": button["url"].replace(f"{pagename}.ipynb", notebook(pagename))}
                for button in group["buttons"]
                if _offered(app, pagename, button["text"])
            ]


def _offered(app, pagename: str, place: str) -> bool:
    """Whether a place has room for what the notebook needs."""
    return place != "Binder" or PurePosixPath(pagename).name not in app.config.launch_not_on_binder
