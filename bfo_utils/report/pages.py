"""Pages and fragments, filled from the templates beside this module; all values are escaped."""

import base64
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


@cache
def _templates() -> Environment:
    """The templates, with what they need of Python."""
    found = Environment(
        loader=PackageLoader("bfo_utils.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return found


def fill_template(name: str, **values) -> Markup:
    """A page, or a fragment for another page.

    Parameters
    ----------
    name : str
        File in the folder ``templates``.
    **values
        What its variables stand for; texts are escaped unless they come from a template.

    Returns
    -------
    Markup

    Examples
    --------
    >>> fill_template("warnings.html", notes=["Few cells in <b>.dm4"])
    Markup('<ul><li>Few cells in &lt;b&gt;.dm4</li></ul>')
    """
    return Markup(_templates().get_template(name).render(values))


def data_uri(content: bytes, kind: str = "png") -> str:
    """A picture as a ``data:`` URI.

    Parameters
    ----------
    content : bytes
        Of the file.
    kind : {"png", "jpeg"}

    Returns
    -------
    str

    Examples
    --------
    >>> data_uri(b"abc")
    'data:image/png;base64,YWJj'
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
