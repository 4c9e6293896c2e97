"""``python -m benchmarks [NAME ...]``: all measurements but the longest ones, or those named."""

import importlib
import sys

NAMES = (
    "columns",
    "measurement",
    "frames",
    "scan",
    "speed",
    "junction",
    "scaling",
    "large",
    "null",
    "judge",
    "rewards",
    "answer",
    "search",
    "batch",
    "vae",
    "headers",
)
LONG = ("confidence", "example", "field", "front", "hard", "huge", "repeats", "robust", "series")

for name in sys.argv[1:] or NAMES:
    if name not in NAMES + LONG:
        sys.exit(f"benchmarks: '{name}': no such benchmark; choose from {', '.join(NAMES + LONG)}")
    importlib.import_module(f"benchmarks.{name}").main()
