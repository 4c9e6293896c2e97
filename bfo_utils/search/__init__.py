"""The search: every choice declared once, one configuration from end to end, and the optimizer over
all of them.

Belongs here: the parameter space, the pipeline, trials and their evaluation. Does not belong here:
what the best trial means (:mod:`bfo_utils.results`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
