"""``python -m bfo_utils``: the same as ``bfo``."""

import os
import sys

# Before anything that lies in the working folder can be imported.
if not sys.flags.safe_path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from .cli import main

main()
