"""One data set: the combinatorial series of Sm-doped BiFeO3, fetched, read, simulated, and followed
over composition.

Belongs here: what is true of these files only; it could be a repository of its own.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
