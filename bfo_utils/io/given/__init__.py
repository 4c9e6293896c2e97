"""What a user gives besides an image: the part to look at, the positions of its columns, its cell.

Belongs here: the files and words that state them. Does not belong here: images.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
