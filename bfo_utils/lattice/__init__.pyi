from .building import MIN_CELLS as MIN_CELLS
from .building import Lattice as Lattice
from .building import build_lattice as build_lattice
from .cells import (
    Basis as Basis,
)
from .cells import (
    Cells as Cells,
)
from .cells import (
    corner_mean as corner_mean,
)
from .cells import (
    measure_cells as measure_cells,
)
from .indexing import walk_lattice as walk_lattice
