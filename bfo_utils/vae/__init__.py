"""Variational autoencoders: descriptors that are learned, and what they have learned. Needs the
extra `vae`.

Belongs here: all that knows torch (one module, loaded when it is used) and all that reads latents.
Does not belong here: the search among autoencoders (:mod:`bfo_utils.search`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
