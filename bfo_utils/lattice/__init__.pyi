from .building import (
    MIN_CELLS as MIN_CELLS,
)
from .building import (
    Lattice as Lattice,
)
from .building import (
    build_lattice as build_lattice,
)
from .building import (
    superstructures as superstructures,
)
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
from .halves import Halves as Halves
from .halves import half_fits as half_fits
from .halves import half_image as half_image
from .indexing import walk_lattice as walk_lattice
from .scan import (
    AGREE as AGREE,
)
from .scan import (
    AXES as AXES,
)
from .scan import (
    SMOOTH as SMOOTH,
)
from .scan import (
    ScanDistortion as ScanDistortion,
)
from .scan import (
    check_axis as check_axis,
)
from .scan import (
    describe_scan as describe_scan,
)
from .scan import (
    measure_scan as measure_scan,
)
from .scan import (
    row_deviation as row_deviation,
)
from .scan import (
    scan_deviation as scan_deviation,
)
from .scan import (
    scan_errors as scan_errors,
)
from .scan import (
    scan_polar as scan_polar,
)
from .scan import (
    undistorted as undistorted,
)
from .scan import (
    undo_scan as undo_scan,
)
from .scan_model import (
    Posterior as Posterior,
)
from .scan_model import (
    Sites as Sites,
)
from .scan_model import (
    multiply_band as multiply_band,
)
from .scan_model import (
    prior_band as prior_band,
)
from .strain import (
    CellErrors as CellErrors,
)
from .strain import (
    Strain as Strain,
)
from .strain import (
    cell_edges as cell_edges,
)
from .strain import (
    cell_errors as cell_errors,
)
from .strain import (
    measure_strain as measure_strain,
)
from .strain import (
    reference_cell as reference_cell,
)
from .strain import (
    reference_numbers as reference_numbers,
)
from .superstructure import (
    Superstructure as Superstructure,
)
from .superstructure import (
    find_superstructures as find_superstructures,
)
