from .detection import (
    Columns as Columns,
)
from .detection import (
    FitState as FitState,
)
from .detection import (
    FitWindows as FitWindows,
)
from .detection import (
    column_spacing as column_spacing,
)
from .detection import (
    cut_fit_windows as cut_fit_windows,
)
from .detection import (
    find_columns as find_columns,
)
from .detection import (
    fit_columns as fit_columns,
)
from .detection import (
    refit_columns as refit_columns,
)
from .detection import (
    scatter_fits as scatter_fits,
)
from .detection import smooth_rows as smooth_rows
from .detection import (
    subtract_neighbors as subtract_neighbors,
)
from .detection import (
    window_corners as window_corners,
)
from .detection import with_bright_columns as with_bright_columns
from .precision import (
    ColumnErrors as ColumnErrors,
)
from .precision import (
    as_state as as_state,
)
from .precision import (
    column_errors as column_errors,
)
from .precision import (
    design_matrix as design_matrix,
)
from .precision import (
    fitted_windows as fitted_windows,
)
from .precision import (
    neighbors as neighbors,
)
from .precision import (
    normal_matrix as normal_matrix,
)
from .precision import (
    pixel_noise as pixel_noise,
)
from .precision import (
    variance_of_pixels as variance_of_pixels,
)
from .precision import (
    width_prior as width_prior,
)
from .shape import ColumnShape as ColumnShape
from .shape import column_shapes as column_shapes
from .slices import Slices as Slices
from .slices import cut_slices as cut_slices
