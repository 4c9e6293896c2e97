"""Phantoms: simulated images with their ground truth, and label maps that are wrong on purpose.

Belongs here: simulated data with known truth. Does not belong here: any analysis; this room needs
only `io` and `lattice`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
