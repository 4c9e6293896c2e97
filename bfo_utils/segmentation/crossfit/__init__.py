"""Maps and tests of a measured field from two halves of the data.

Belongs here: maps from one half that the other half tests: a regularized segmentation, tests of
walls, the residual structure of a map, the posterior of its labels, the tilt common to all domains.
Does not belong here: clustering of descriptors.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
