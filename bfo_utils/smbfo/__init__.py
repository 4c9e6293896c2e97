"""One data set: the combinatorial series of Sm-doped BiFeO3, from download and simulation to trends
with composition.

Belongs here: code for these files only; it could be a separate repository.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
