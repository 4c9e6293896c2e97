"""The one exception that stands for a mistake of the user, not of the program."""

import gc
import os
import textwrap
import traceback
from numbers import Real


class InputError(ValueError):
    """Input that cannot be used: a file, an option, a value.

    The command line prints its text as one line and exits with 2, so the text names the thing, says
    what is wrong and what would be right: ``"thing: what is wrong; what would be right"``. Line
    breaks (of a library's message, say) become spaces.

    Parameters
    ----------
    message : str
        The text.

    Examples
    --------
    >>> raise InputError("scan.tif: 16 x 16 px is too small; give at least 32 px on each side")
    Traceback (most recent call last):
    bfo_utils.errors.InputError: scan.tif: 16 x 16 px is too small; give at least 32 px on each side
    """

    def __init__(self, message):
        super().__init__(" ".join(str(message).splitlines()))


class DiskError(InputError):
    """A folder without room or access: what befalls one result would befall all, so that a batch
    ends with it.
    """


def check_text(name, value):
    """Refuse what is no text where a name or a path is expected: `papermill -p layout 3` gives a
    number.

    Parameters
    ----------
    name : str
        What the value is called.
    value : object
        A text or a path.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_text("layout", 3)
    Traceback (most recent call last):
    bfo_utils.errors.InputError: layout: 3 is a number, not a text; write it in quotes (papermill:
    -r layout 3)
    """
    if not isinstance(value, str | os.PathLike):
        kind = "a number" if isinstance(value, int | float) else f"of type {type(value).__name__}"
        raise InputError(
            f"{name}: {value!r} is {kind}, not a text; write it in quotes (papermill: -r {name}"
            f" {value})"
        )


def check_number(name, value):
    """Refuse what is no number.

    Parameters
    ----------
    name : str
        What the value is called.
    value : object

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_number("cells", "many")
    Traceback (most recent call last):
    bfo_utils.errors.InputError: cells: 'many' is not a number; give one
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{name}: {value!r} is not a number; give one")


def as_input_error(label, error, expected):
    """Make the `InputError` that tells which input an error is about.

    For code that hands the user's data to other libraries, which fail in any way they like. Some
    leave their file open, and the traceback would keep it so: it is freed at once and kept as text,
    in a note of `error`.

    Parameters
    ----------
    label : str or Path
        The input that the error is about: a file, an array.
    error : Exception
        What went wrong; an `InputError` keeps its text behind the label.
    expected : str
        What would be right, for errors of a library.

    Returns
    -------
    InputError
        To be raised from `error`.

    Examples
    --------
    >>> try:
    ...     int("three")
    ... except ValueError as error:
    ...     raise as_input_error("cells", error, "a whole number") from error
    Traceback (most recent call last):
    bfo_utils.errors.InputError: cells: not readable (ValueError: invalid literal ...); expected a
    whole number
    """
    if isinstance(error, InputError):
        return InputError(f"{label}: {error}")
    reason = textwrap.shorten(f"{type(error).__name__}: {error}", 160, placeholder=" ...")
    error.add_note("".join(traceback.format_tb(error.__traceback__)))
    error.__traceback__ = None
    gc.collect()
    if isinstance(error, MemoryError):
        return InputError(
            f"{label}: needs more memory than there is; give a smaller one, or use a machine with"
            " more memory"
        )
    return InputError(f"{label}: not readable ({reason}); expected {expected}")
