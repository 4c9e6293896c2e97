"""Atomic columns of an image: detection, and positions to a fraction of a pixel.

Belongs here: functions for any image with bright columns, without a lattice. Does not belong here:
the identity of the columns (:mod:`bfo_utils.lattice`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
