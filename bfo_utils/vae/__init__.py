"""Variational autoencoders: learned descriptors, and tests of what they have learned. Needs the
extra `vae`.

Belongs here: everything that uses torch (one module, loaded on use) and everything that interprets
latents. Does not belong here: the search among autoencoders (:mod:`bfo_utils.search`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
