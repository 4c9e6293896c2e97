from .components import (
    explained_variance as explained_variance,
)
from .components import (
    project_in_parts as project_in_parts,
)
from .components import (
    project_vectors as project_vectors,
)
from .derivatives import Vortices as Vortices
from .derivatives import find_vortices as find_vortices
from .derivatives import polar_derivatives as polar_derivatives
from .measured import field_vectors as field_vectors
from .measured import measured_fields as measured_fields
from .measured import measured_vectors as measured_vectors
from .oxygen import Oxygen as Oxygen
from .oxygen import find_oxygen as find_oxygen
from .windows import (
    CELL_SITES as CELL_SITES,
)
from .windows import (
    DESCRIPTORS as DESCRIPTORS,
)
from .windows import (
    FIELD_DESCRIPTORS as FIELD_DESCRIPTORS,
)
from .windows import (
    MAX_WINDOW as MAX_WINDOW,
)
from .windows import (
    NORMALIZATIONS as NORMALIZATIONS,
)
from .windows import (
    SAMPLES as SAMPLES,
)
from .windows import (
    SITES as SITES,
)
from .windows import (
    Patches as Patches,
)
from .windows import (
    crop_windows as crop_windows,
)
from .windows import (
    cut_windows as cut_windows,
)
from .windows import (
    normalize_windows as normalize_windows,
)
from .windows import (
    round_window as round_window,
)
from .windows import (
    window_bytes as window_bytes,
)
from .windows import (
    window_samples as window_samples,
)
