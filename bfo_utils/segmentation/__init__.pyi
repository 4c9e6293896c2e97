from .clustering import (
    COVARIANCES as COVARIANCES,
)
from .clustering import (
    METHODS as METHODS,
)
from .clustering import (
    adjusted_eta_squared as adjusted_eta_squared,
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
from .crossfit import (
    WIDTHS as WIDTHS,
)
from .crossfit import (
    FieldJudgment as FieldJudgment,
)
from .crossfit import (
    TwoHalves as TwoHalves,
)
from .crossfit import (
    WallTest as WallTest,
)
from .crossfit import (
    held_map as held_map,
)
from .crossfit import (
    judge_field as judge_field,
)
from .crossfit import (
    two_halves as two_halves,
)
from .crossfit import (
    wall_power as wall_power,
)
from .crossfit import (
    wall_separation as wall_separation,
)
from .crossfit import (
    wall_tests as wall_tests,
)
from .crossfit import (
    without_bands as without_bands,
)
from .crossfit import (
    without_strips as without_strips,
)
from .crossfit import (
    without_unexplained as without_unexplained,
)
from .cuts import CellGraph as CellGraph
from .noise import measure_field_noise as measure_field_noise
from .posterior import (
    label_margins as label_margins,
)
from .posterior import (
    label_posterior as label_posterior,
)
from .proposals import PROPOSED_KINDS as PROPOSED_KINDS
from .proposals import ProposedMask as ProposedMask
from .proposals import propose_masks as propose_masks
from .regularized import (
    CellDomain as CellDomain,
)
from .regularized import (
    LevelMap as LevelMap,
)
from .regularized import (
    level_map as level_map,
)
from .regularized import (
    segment_field as segment_field,
)
from .regularized import (
    slow_functions as slow_functions,
)
from .residual import (
    ResidualStructure as ResidualStructure,
)
from .residual import (
    residual_structure as residual_structure,
)
from .tilt import TILTS as TILTS
from .tilt import Tilt as Tilt
from .tilt import check_tilt as check_tilt
from .tilt import measure_tilt as measure_tilt
from .variants import (
    N_VARIANTS as N_VARIANTS,
)
from .variants import (
    is_nonpolar as is_nonpolar,
)
from .variants import (
    mean_displacements as mean_displacements,
)
from .variants import (
    variant_numbers as variant_numbers,
)
from .walls import (
    STAIRCASE_ROUGHNESS as STAIRCASE_ROUGHNESS,
)
from .walls import (
    Walls as Walls,
)
from .walls import (
    bridge_gaps as bridge_gaps,
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
