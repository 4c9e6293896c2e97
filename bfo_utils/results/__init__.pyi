from .analysis import (
    COMPARED_WINDOWS as COMPARED_WINDOWS,
)
from .analysis import (
    Analysis as Analysis,
)
from .analysis import (
    alternative_maps as alternative_maps,
)
from .analysis import (
    analyze as analyze,
)
from .analysis import (
    checked_analysis as checked_analysis,
)
from .analysis import (
    conclude_analysis as conclude_analysis,
)
from .analysis import (
    maps_over_windows as maps_over_windows,
)
from .analysis import (
    tuned_trial as tuned_trial,
)
from .confidence import Confidence as Confidence
from .confidence import measure_confidence as measure_confidence
from .domains import DIRECTIONS as DIRECTIONS
from .domains import Units as Units
from .domains import domains_table as domains_table
from .domains import patches_table as patches_table
from .judgment import (
    DOMAINS as DOMAINS,
)
from .judgment import (
    MIN_SEPARATION as MIN_SEPARATION,
)
from .judgment import (
    MIN_WALL_Z as MIN_WALL_Z,
)
from .judgment import (
    MIN_Z as MIN_Z,
)
from .judgment import (
    NO_DOMAINS as NO_DOMAINS,
)
from .judgment import (
    REFERENCE_WORDS as REFERENCE_WORDS,
)
from .judgment import (
    UNDECIDED as UNDECIDED,
)
from .judgment import (
    Judgment as Judgment,
)
from .judgment import (
    ask_fields as ask_fields,
)
from .judgment import (
    field_posterior as field_posterior,
)
from .judgment import (
    judge_domains as judge_domains,
)
from .judgment import (
    left_over as left_over,
)
from .provenance import COMPARED_TABLES as COMPARED_TABLES
from .provenance import (
    SCHEMA_VERSION as SCHEMA_VERSION,
)
from .provenance import (
    Plugin as Plugin,
)
from .provenance import (
    Provenance as Provenance,
)
from .provenance import (
    Simulation as Simulation,
)
from .provenance import (
    changed_versions as changed_versions,
)
from .provenance import (
    check_plugin as check_plugin,
)
from .provenance import (
    check_run as check_run,
)
from .provenance import check_schema as check_schema
from .provenance import (
    compare_tables as compare_tables,
)
from .provenance import (
    plugin_of as plugin_of,
)
from .provenance import (
    provenance_from_plain as provenance_from_plain,
)
from .provenance import (
    read_result as read_result,
)
from .provenance import (
    result_image as result_image,
)
from .provenance import (
    result_path as result_path,
)
from .provenance import stored_json as stored_json
from .repeats import (
    NEAR as NEAR,
)
from .repeats import (
    NearBest as NearBest,
)
from .repeats import Repeat as Repeat
from .repeats import describe_repeats as describe_repeats
from .selectors import (
    SELECTORS as SELECTORS,
)
from .selectors import (
    ari_to_truth as ari_to_truth,
)
from .selectors import (
    double_dipping as double_dipping,
)
from .selectors import (
    judge_selectors as judge_selectors,
)
from .selectors import (
    random_configurations as random_configurations,
)
from .selectors import (
    selector_case as selector_case,
)
from .selectors import (
    selector_table as selector_table,
)
from .selectors import (
    share_found as share_found,
)
from .selectors import (
    stage_gains as stage_gains,
)
from .walls import WallTables as WallTables
from .walls import measure_walls as measure_walls
from .warnings import (
    SURE_CELL as SURE_CELL,
)
from .warnings import (
    TILT_CAVEAT as TILT_CAVEAT,
)
from .warnings import (
    UNUSED as UNUSED,
)
from .warnings import (
    find_warnings as find_warnings,
)
from .warnings import (
    has_residual_structure as has_residual_structure,
)
from .warnings import (
    nonpolar_labels as nonpolar_labels,
)
from .warnings import (
    position_error_px as position_error_px,
)
from .warnings import (
    unused_share as unused_share,
)
