"""``python -m bfo_utils``: the same as ``bfo``."""

from .cli import main

main()
