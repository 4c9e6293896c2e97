"""The field of the harder crystals, measured without a search."""

from .hard import field as main

__all__ = ["main"]
