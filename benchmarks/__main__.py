"""``python -m benchmarks [NAME ...]``: all measurements, or those named."""

import importlib
import sys

NAMES = ("columns", "speed", "junction", "scaling", "null", "rewards", "search", "batch")

for name in sys.argv[1:] or NAMES:
    if name not in NAMES:
        sys.exit(f"benchmarks: '{name}': no such benchmark; choose from {', '.join(NAMES)}")
    importlib.import_module(f"benchmarks.{name}").main()
