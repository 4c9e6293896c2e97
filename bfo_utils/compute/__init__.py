"""How work runs safely: processes, caches, tiles, locks, and files that are whole or not there.

Belongs here: what knows nothing of images or crystals. Does not belong here: any step of the
method.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
