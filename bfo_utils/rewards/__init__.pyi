from .fingerprint import rewards_fingerprint as rewards_fingerprint
from .geometry import component_continuity as component_continuity
from .geometry import continuity as continuity
from .geometry import edge_continuity as edge_continuity
from .geometry import hough_share as hough_share
from .geometry import line_fit as line_fit
from .geometry import low_curvature as low_curvature
from .geometry import low_sinuosity as low_sinuosity
from .geometry import straightness as straightness
from .guards import (
    agreement as agreement,
)
from .guards import (
    amount as amount,
)
from .guards import (
    balance as balance,
)
from .guards import (
    thickness as thickness,
)
from .physics import DESCRIPTOR_REWARDS as DESCRIPTOR_REWARDS
from .physics import bayesian_mixture as bayesian_mixture
from .physics import contrast as contrast
from .physics import evidence as evidence
from .physics import icl as icl
from .reference import (
    CORRELATION_LAG as CORRELATION_LAG,
)
from .reference import (
    MIN_CORRELATION as MIN_CORRELATION,
)
from .reference import (
    REFERENCE_KINDS as REFERENCE_KINDS,
)
from .reference import (
    ReferenceField as ReferenceField,
)
from .reference import (
    analyzed_mask as analyzed_mask,
)
from .reference import (
    autocorrelation as autocorrelation,
)
from .reference import (
    measure_reference as measure_reference,
)
from .registry import Reward as Reward
from .registry import are_built_in as are_built_in
from .scoring import (
    ALTERNATIVES as ALTERNATIVES,
)
from .scoring import (
    DEFAULT_TOTAL as DEFAULT_TOTAL,
)
from .scoring import (
    geometric_total as geometric_total,
)
from .scoring import (
    parse_total as parse_total,
)
from .scoring import (
    register_reward as register_reward,
)
from .scoring import (
    reward_names as reward_names,
)
from .scoring import (
    score_map as score_map,
)
from .segmentation import Segmentation as Segmentation
from .surrogates import (
    SIGNIFICANCE_LEVEL as SIGNIFICANCE_LEVEL,
)
from .surrogates import (
    SurrogateTest as SurrogateTest,
)
from .surrogates import (
    surrogate_test as surrogate_test,
)
