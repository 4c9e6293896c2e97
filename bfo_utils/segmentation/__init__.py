"""From descriptors to a label map with domain walls.

Belongs here: clustering, the variants of clusters, and the walls of a map. Does not belong here:
how good a map is (:mod:`bfo_utils.rewards`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
