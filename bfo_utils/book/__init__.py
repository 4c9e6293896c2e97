"""The book: notebooks executed one after the other and rendered, exercises with self-checks, the
workshop's handout.

Belongs here: teaching. Does not belong here: anything that a notebook would call to compute.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
