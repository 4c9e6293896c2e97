from .agreement import (
    Agreement as Agreement,
)
from .agreement import (
    compare_parameters as compare_parameters,
)
from .agreement import (
    series_polar_order as series_polar_order,
)
from .composition import (
    SIMULATED as SIMULATED,
)
from .composition import (
    judge_members as judge_members,
)
from .composition import (
    read_members as read_members,
)
from .composition import (
    series_latents as series_latents,
)
from .composition import (
    simulate_members as simulate_members,
)
from .composition import (
    tune_members as tune_members,
)
from .download import fetch_dictionary as fetch_dictionary
from .download import fetch_series as fetch_series
from .parameterization import (
    PARAMETERIZATION_KEYS as PARAMETERIZATION_KEYS,
)
from .parameterization import (
    POLAR_ORDERS as POLAR_ORDERS,
)
from .parameterization import (
    Parameterization as Parameterization,
)
from .parameterization import (
    read_parameterization as read_parameterization,
)
from .pickles import read_trusted_pickle as read_trusted_pickle
from .pickles import unpack_series as unpack_series
from .registry import (
    DICTIONARY_FILE as DICTIONARY_FILE,
)
from .registry import (
    DICTIONARY_RECORD as DICTIONARY_RECORD,
)
from .registry import (
    FOLDER_VARIABLE as FOLDER_VARIABLE,
)
from .registry import (
    HASHES as HASHES,
)
from .registry import (
    SERIES_IDS as SERIES_IDS,
)
from .registry import (
    SERIES_PAIRS as SERIES_PAIRS,
)
from .registry import (
    SERIES_RECORD as SERIES_RECORD,
)
from .registry import (
    SERVER_VARIABLE as SERVER_VARIABLE,
)
from .registry import (
    Record as Record,
)
from .registry import (
    available_pairs as available_pairs,
)
from .registry import (
    data_folder as data_folder,
)
from .registry import (
    data_server as data_server,
)
from .registry import (
    file_md5 as file_md5,
)
from .registry import (
    keep_hash as keep_hash,
)
from .registry import (
    kept_hashes as kept_hashes,
)
from .registry import (
    match_file as match_file,
)
from .registry import (
    pair_of as pair_of,
)
from .sample import Sample as Sample
from .sample import read_sample as read_sample
from .simulated import (
    GAP_SHARE as GAP_SHARE,
)
from .simulated import (
    SeriesStyle as SeriesStyle,
)
from .simulated import (
    series_specimen as series_specimen,
)
from .simulated import (
    simulate_series as simulate_series,
)
from .simulated import (
    simulated_parameters as simulated_parameters,
)
from .simulated import (
    write_series as write_series,
)
from .trends import (
    AUTHORS as AUTHORS,
)
from .trends import (
    DIRECTIONS as DIRECTIONS,
)
from .trends import (
    NO_VARIANT as NO_VARIANT,
)
from .trends import OrderBoundary as OrderBoundary
from .trends import (
    agreements as agreements,
)
from .trends import (
    coherent_length as coherent_length,
)
from .trends import (
    curves_beside_authors as curves_beside_authors,
)
from .trends import (
    measured_means as measured_means,
)
from .trends import order_boundary as order_boundary
from .trends import (
    trend_curves as trend_curves,
)
from .trends import (
    trends_table as trends_table,
)
from .trends import (
    variant_map as variant_map,
)
from .trends import (
    walls_between as walls_between,
)
