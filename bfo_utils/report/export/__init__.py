"""The answer handed on: its tables with units and conventions, read back from their folder, as
files for other tools and figures for a paper.

Belongs here: what a finished result holds, described and in other forms. Does not belong here: what
is true of the image (:mod:`bfo_utils.results`), pages, and the files of an analysis as they are
written. :mod:`bfo_utils.report` has all names.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
