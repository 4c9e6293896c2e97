"""The crystal's geometry: columns indexed as sublattices A and B, and every unit cell measured.

Belongs here: what follows from positions alone. Does not belong here: descriptors, labels.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
