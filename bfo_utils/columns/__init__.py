"""Atomic columns of an image: detection, and positions to a fraction of a pixel.

Belongs here: what can be used alone, on any image with bright columns. Does not belong here: which
column is which; that is the :mod:`bfo_utils.lattice`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
