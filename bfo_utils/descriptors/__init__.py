"""Descriptors of cells for clustering: windows of the image, or measured quantities.

Belongs here: vectors of cells and their projection. Does not belong here: learned descriptors
(:mod:`bfo_utils.vae`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
