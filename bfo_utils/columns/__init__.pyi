from .detection import (
    Columns as Columns,
)
from .detection import (
    column_spacing as column_spacing,
)
from .detection import (
    find_columns as find_columns,
)
from .detection import (
    fit_columns as fit_columns,
)
