from .clustering import (
    COVARIANCES as COVARIANCES,
)
from .clustering import (
    METHODS as METHODS,
)
from .clustering import (
    cluster_vectors as cluster_vectors,
)
from .clustering import (
    label_probabilities as label_probabilities,
)
from .clustering import (
    match_labels as match_labels,
)
from .clustering import (
    number_by_value as number_by_value,
)
from .clustering import (
    predict_labels as predict_labels,
)
from .clustering import (
    without_convergence_warnings as without_convergence_warnings,
)
from .walls import (
    Walls as Walls,
)
from .walls import (
    connected_domains as connected_domains,
)
from .walls import (
    despeckle as despeckle,
)
from .walls import (
    trace_walls as trace_walls,
)
