"""Maps and tests of a measured field from two halves of the data.

Belongs here: what one half draws and the other judges: a regularized segmentation, tests of walls,
what a map leaves over, the posterior of its labels, the tilt that all domains share. Does not
belong here: clustering of descriptors.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
