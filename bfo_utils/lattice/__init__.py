"""Geometry of the crystal: columns indexed as sublattices A and B, and the measurement of every
unit cell.

Belongs here: quantities that follow from positions alone. Does not belong here: descriptors,
labels.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
