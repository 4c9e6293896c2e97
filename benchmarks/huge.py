"""The table of :mod:`benchmarks.large`, with an image of 16k x 16k px at its end; takes some
minutes and 8 GiB.
"""

from . import large


def main() -> None:
    """The table."""
    large.main(large.SIDES | large.HUGE, "huge")
