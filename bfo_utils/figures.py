"""All figures of the project under one name: maps over the image, charts of the search and of a series, and how they are saved.

Every function takes plain data and returns a :class:`bfo_utils.style.Figure`, without any state of pyplot, so that
scripts, workers and notebooks use the same ones; as the last expression of a notebook cell a figure displays itself.
"""

from .charts import curves, importance, landscape, mean_windows, pareto, rewards, scatter, trials
from .fields import components, confidence, maps, physics, polarization
from .learned import anomalies, carried, distributions, latents, manifold, training
from .maps import before_after, image, label_map, rose, walls
from .sidebyside import differences, over, roses, shares
from .style import Figure, save

__all__ = [
    "Figure", "anomalies", "before_after", "carried", "components", "confidence", "curves", "differences", "distributions", "image",
    "importance", "label_map", "landscape", "latents", "manifold", "maps", "mean_windows", "over", "pareto",
    "physics", "polarization", "rewards", "rose", "roses", "save", "scatter", "shares", "training", "trials",
    "walls"]
