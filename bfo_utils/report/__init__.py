"""The answer as files and pages: tables, pictures, interactive maps, the PDF, two results side by
side, many images.

Belongs here: what writes results for people and programs. Does not belong here: what is true of the
image (:mod:`bfo_utils.results`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
