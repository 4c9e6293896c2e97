"""Pictures: functions that take arrays or tables and return a figure.

Belongs here: drawing and its one style. Does not belong here: numbers that are not drawn, and pages
(:mod:`bfo_utils.report`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
