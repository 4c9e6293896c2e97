"""Rewards: numbers in [0, 1] that measure how much a label map looks like ferroic domains, and the
reference field that judges it.

Belongs here: geometry, physics and guards, the reference field, and the surrogate test. Does not
belong here: the choice among maps. Importing a reward from here registers the built-in ones.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
