"""Input besides the image: the region to analyze, the positions of its columns, its cell.

Belongs here: the files and options that define them. Does not belong here: images.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
