from .backdrop import backdrop as backdrop
from .backdrop import draw_walls as draw_walls
from .backdrop import gray_levels as gray_levels
from .backdrop import paint as paint
from .backdrop import tint as tint
from .backdrop import walls_of as walls_of
from .charts import (
    plot_curves as plot_curves,
)
from .charts import (
    plot_double_dipping as plot_double_dipping,
)
from .charts import (
    plot_importance as plot_importance,
)
from .charts import (
    plot_landscape as plot_landscape,
)
from .charts import (
    plot_mean_windows as plot_mean_windows,
)
from .charts import (
    plot_pareto_front as plot_pareto_front,
)
from .charts import (
    plot_power as plot_power,
)
from .charts import (
    plot_rewards as plot_rewards,
)
from .charts import (
    plot_scatter as plot_scatter,
)
from .charts import (
    plot_trials as plot_trials,
)
from .charts import (
    plot_window_landscapes as plot_window_landscapes,
)
from .concepts import (
    CONCEPTS as CONCEPTS,
)
from .concepts import (
    plot_chain as plot_chain,
)
from .concepts import (
    plot_domain_wall as plot_domain_wall,
)
from .concepts import (
    plot_published_and_tuned as plot_published_and_tuned,
)
from .concepts import (
    plot_unit_cell as plot_unit_cell,
)
from .concepts import (
    plot_vote as plot_vote,
)
from .fields import draw_arrows as draw_arrows
from .fields import (
    ordered as ordered,
)
from .fields import (
    plot_components as plot_components,
)
from .fields import (
    plot_confidence as plot_confidence,
)
from .fields import (
    plot_maps as plot_maps,
)
from .fields import plot_oxygen as plot_oxygen
from .fields import (
    plot_polarization as plot_polarization,
)
from .fields import (
    plot_quantities as plot_quantities,
)
from .fields import (
    plot_residual as plot_residual,
)
from .fields import (
    plot_scan as plot_scan,
)
from .learned import (
    plot_anomalies as plot_anomalies,
)
from .learned import (
    plot_distributions as plot_distributions,
)
from .learned import (
    plot_factors as plot_factors,
)
from .learned import (
    plot_latents as plot_latents,
)
from .learned import (
    plot_manifold as plot_manifold,
)
from .learned import (
    plot_training as plot_training,
)
from .maps import (
    plot_before_after as plot_before_after,
)
from .maps import (
    plot_doubtful_columns as plot_doubtful_columns,
)
from .maps import (
    plot_image as plot_image,
)
from .maps import (
    plot_label_map as plot_label_map,
)
from .maps import (
    plot_rose as plot_rose,
)
from .maps import (
    plot_walls as plot_walls,
)
from .maps import (
    unused_columns as unused_columns,
)
from .placement import quadrilaterals as quadrilaterals
from .placement import to_px as to_px
from .placement import wall_lines as wall_lines
from .sidebyside import (
    plot_differences as plot_differences,
)
from .sidebyside import (
    plot_over_composition as plot_over_composition,
)
from .sidebyside import (
    plot_roses as plot_roses,
)
from .sidebyside import (
    plot_shares as plot_shares,
)
from .style import (
    ANGLES as ANGLES,
)
from .style import (
    DPI as DPI,
)
from .style import (
    GRAY as GRAY,
)
from .style import (
    INK as INK,
)
from .style import (
    LABELS as LABELS,
)
from .style import MUTED as MUTED
from .style import NEUTRAL as NEUTRAL
from .style import SIGNED as SIGNED
from .style import (
    TALLEST as TALLEST,
)
from .style import (
    VALUES as VALUES,
)
from .style import (
    WIDTH as WIDTH,
)
from .style import (
    Figure as Figure,
)
from .style import color_bar as color_bar
from .style import (
    color_limits as color_limits,
)
from .style import direction_colors as direction_colors
from .style import draw_all as draw_all
from .style import draw_wheel as draw_wheel
from .style import (
    label_colors as label_colors,
)
from .style import (
    png_bytes as png_bytes,
)
from .style import (
    round_down as round_down,
)
from .style import (
    save_figure as save_figure,
)
from .style import save_mask as save_mask
from .style import save_plot as save_plot
from .style import (
    styled as styled,
)
