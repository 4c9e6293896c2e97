"""Phantoms: simulated images with their ground truth, and label maps that are wrong on purpose.

Belongs here: truth. Does not belong here: any analysis of it; this room needs `io` and `lattice`
only.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
