"""Phases and ferroic variants from atomically resolved images: physics chooses the analysis.

The rooms, in the order of the method; each may use those above it. What a notebook needs most is
here by name, too.

=================  =============================================================================
`compute`          processes, caches, tiles, locks, files that are whole or not there
`io`               images of every format and their pixel sizes: `read_image`, `image_from_array`
`columns`          atomic columns: `find_columns`
`lattice`          sublattices and unit cells: `build_lattice`
`simulation`       phantoms with their truth: `Specimen`, `simulate_phantom`
`descriptors`      windows and measured quantities of the cells
`segmentation`     label maps and domain walls: `trace_walls`
`vae`              autoencoders (the extra `vae`)
`rewards`          what a map is worth: `Segmentation`, `score_map`, `register_reward`
`search`           one configuration, and the search among all: `prepare_image`, `SearchPlan`,
                   `cell_descriptors`, `cluster_cells`, `evaluate_configuration`,
                   `search_configurations`, `best_trial`
`figures`          pictures: functions that take data and return a figure
`results`          the answer: `analyze`, `Analysis`
`report`           the answer as files and pages: `write_results`, and back: `load_answer`
`smbfo`            the series of Sm-doped BiFeO3
`book`             notebooks, exercises, the rendered book
=================  =============================================================================

A mistake in what is given raises `InputError`, in one line.

Examples
--------
>>> import bfo_utils as bfo
>>> image = bfo.simulate_phantom(bfo.Specimen("halves", cells=24, cell_px=16)).image
>>> prepared = bfo.prepare_image(image)
>>> choice = {"site": "cell", "n_clusters": 2}
>>> labels = bfo.cluster_cells(prepared, bfo.cell_descriptors(prepared, choice), choice)
>>> scores = bfo.score_map(bfo.Segmentation(labels, prepared.reference))
>>> scores["total"] > 0.5
True
>>> bfo.analyze(image, bfo.SearchPlan(budget=9)).verdict
'domains'
"""

from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    from .columns import find_columns
    from .errors import InputError
    from .io import image_from_array, read_image
    from .lattice import build_lattice
    from .report import load_answer, write_results
    from .results import Analysis, analyze
    from .rewards import Segmentation, register_reward, score_map
    from .search import (
        SearchPlan,
        best_trial,
        cell_descriptors,
        cluster_cells,
        evaluate_configuration,
        prepare_image,
        search_configurations,
    )
    from .segmentation import trace_walls
    from .simulation import Specimen, simulate_phantom

_NAMES = {
    "columns": ["find_columns"],
    "errors": ["InputError"],
    "io": ["image_from_array", "read_image"],
    "lattice": ["build_lattice"],
    "report": ["load_answer", "write_results"],
    "results": ["Analysis", "analyze"],
    "rewards": ["Segmentation", "register_reward", "score_map"],
    "search": [
        "SearchPlan",
        "best_trial",
        "cell_descriptors",
        "cluster_cells",
        "evaluate_configuration",
        "prepare_image",
        "search_configurations",
    ],
    "segmentation": ["trace_walls"],
    "simulation": ["Specimen", "simulate_phantom"],
}
_ROOMS = {*_NAMES, "book", "compute", "descriptors", "figures", "smbfo", "vae"} - {"errors"}

_named, __dir__, _public = lazy_loader.attach(__name__, _ROOMS, _NAMES)
__all__ = [
    "Analysis",
    "InputError",
    "SearchPlan",
    "Segmentation",
    "Specimen",
    "analyze",
    "best_trial",
    "build_lattice",
    "cell_descriptors",
    "cluster_cells",
    "evaluate_configuration",
    "find_columns",
    "image_from_array",
    "load_answer",
    "prepare_image",
    "read_image",
    "register_reward",
    "score_map",
    "search_configurations",
    "simulate_phantom",
    "trace_walls",
    "write_results",
]


def __getattr__(name: str) -> Any:
    """A room, a public name of one, or the version of the installed package."""
    if name != "__version__":
        return _named(name)
    from importlib import metadata  # it imports much that nothing else needs

    return metadata.version("bfo_utils")
