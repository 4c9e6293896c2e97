"""Input and output: images of every format, their pixel sizes, and stored arrays.

Belongs here: code that handles file formats; no other room does. Does not belong here: what an
image shows.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
