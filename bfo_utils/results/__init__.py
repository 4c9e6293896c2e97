"""Results: one analysis from image to verdict, its confidence, its warnings, and how to repeat it.

Belongs here: conclusions as plain data. Does not belong here: files and pages that show them
(:mod:`bfo_utils.report`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
