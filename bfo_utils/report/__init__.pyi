from .batch import (
    SUMMARY_COLUMNS as SUMMARY_COLUMNS,
)
from .batch import (
    SUMMARY_FILE as SUMMARY_FILE,
)
from .batch import (
    BatchJob as BatchJob,
)
from .batch import (
    BatchSettings as BatchSettings,
)
from .batch import (
    analyze_file as analyze_file,
)
from .batch import (
    analyze_frames as analyze_frames,
)
from .batch import (
    find_images as find_images,
)
from .batch import (
    run_batch as run_batch,
)
from .columns import write_columns as write_columns
from .comparison import (
    Match as Match,
)
from .comparison import (
    comparison_html as comparison_html,
)
from .comparison import (
    load_compared as load_compared,
)
from .comparison import (
    match_runs as match_runs,
)
from .comparison import (
    write_comparison as write_comparison,
)
from .export import FIGURES as FIGURES
from .export import FORMATS as FORMATS
from .export import PICTURE_FORMATS as PICTURE_FORMATS
from .export import README_FILE as README_FILE
from .export import Answer as Answer
from .export import Picture as Picture
from .export import cells_table as cells_table
from .export import columns_table as columns_table
from .export import describe_column as describe_column
from .export import domains_shown as domains_shown
from .export import draw_charges as draw_charges
from .export import draw_derivative as draw_derivative
from .export import draw_directions as draw_directions
from .export import draw_domains as draw_domains
from .export import draw_magnitudes as draw_magnitudes
from .export import draw_polarization as draw_polarization
from .export import draw_profile as draw_profile
from .export import draw_strain as draw_strain
from .export import export_answer as export_answer
from .export import figure_bytes as figure_bytes
from .export import load_answer as load_answer
from .export import paper_figure as paper_figure
from .export import readme_text as readme_text
from .export import value_and_error as value_and_error
from .export import walls_shown as walls_shown
from .export import with_units as with_units
from .export import write_figures as write_figures
from .export import write_readme as write_readme
from .files import (
    FILES as FILES,
)
from .files import (
    check_folder as check_folder,
)
from .files import (
    choices_table as choices_table,
)
from .files import (
    domain_names as domain_names,
)
from .files import (
    facts_table as facts_table,
)
from .files import (
    grounds_table as grounds_table,
)
from .files import (
    is_ours as is_ours,
)
from .files import (
    origin_table as origin_table,
)
from .files import oxygen_table as oxygen_table
from .files import (
    package_versions as package_versions,
)
from .files import (
    warnings_html as warnings_html,
)
from .files import (
    write_results as write_results,
)
from .info import as_text as as_text
from .info import describe_file as describe_file
from .interactive import (
    MOST_SHOWN as MOST_SHOWN,
)
from .interactive import (
    Choice as Choice,
)
from .interactive import (
    Stage as Stage,
)
from .interactive import (
    interactive_front as interactive_front,
)
from .interactive import (
    interactive_map as interactive_map,
)
from .interactive import (
    interactive_windows as interactive_windows,
)
from .memo import memo_html as memo_html
from .memo import methods_paragraph as methods_paragraph
from .memo import print_memo as print_memo
from .pages import data_uri as data_uri
from .pages import fill_template as fill_template
from .printing import (
    BROWSERS as BROWSERS,
)
from .printing import (
    PAGE as PAGE,
)
from .printing import (
    find_browser as find_browser,
)
from .printing import (
    print_pdf as print_pdf,
)
