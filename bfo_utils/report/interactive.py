"""Interactive maps: label maps as HTML fragments that respond to pointer and keyboard, without a
server or a network.

Every piece stands alone: pictures are ``data:`` URIs, values are JSON, the style and the script
(``interactive.css`` and ``interactive.js`` in ``templates``) are inlined. Where scripts are off,
and in print, the first picture remains. Notebooks show a piece with ``IPython.display.HTML``.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba_array
from matplotlib.image import imsave
from scipy.spatial import cKDTree

from ..figures import INK, LABELS, direction_colors, gray_levels, label_colors, round_down
from ..results import Analysis, alternative_maps, maps_over_windows
from ..rewards import Segmentation
from ..search import PARAMETERS, Outcome, PreparedImage, format_value
from .pages import data_uri, fill_template

PICTURE_SIDE = 640  # px: longer edge of a picture
MOST_SHOWN = 12_000  # cells whose values a page holds; of larger maps, every n-th along both axes
_OPACITY = 0.6  # of colors over the image
_UNITS = {"px": "px", "pm": "pm", "nm": "nm", "nm2": "nm²", "px2": "px²", "deg": "°"}
_NAMES = {
    "label": "label",
    "px": "P along x",
    "py": "P along y",
    "a": "edge a",
    "b": "edge b",
    "angle": "angle between a and b",
    "area": "area",
}
_REWARDS = ("total", "continuity", "straightness", "evidence", "contrast")
_CHART = (420, 330)  # width and height of a chart, and its margins:
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 14, 14, 46


@dataclass(frozen=True)
class Choice:
    """One configuration that a reader can select: its name, its outcome, and its position on the
    chart.
    """

    name: str
    outcome: Outcome
    place: tuple[float, float]


@dataclass(frozen=True)
class Stage:
    """An image at screen size with label maps over it.

    Parameters
    ----------
    prepared : PreparedImage
    """

    prepared: PreparedImage

    @property
    def step(self) -> int:
        """Image pixels per pixel of the screen."""
        return max(1, round(max(self.prepared.image.shape) / PICTURE_SIDE))

    @cached_property
    def backdrop(self) -> str:
        """The image in gray, as a data URI."""
        gray = gray_levels(self.prepared.image, self.step, "light")
        return _uri(np.repeat(gray[..., None], 3, axis=2), "jpeg", quality=70)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of the screen."""
        rows, cols = (size // self.step for size in self.prepared.image.shape)
        return cols, rows

    @property
    def scale_bar(self) -> tuple[str, float]:
        """Its length in words, and in percent of the width."""
        size = self.prepared.image.pixel_size_nm
        width, height = self.size
        per_px = (size or 1.0) * self.step
        length = round_down(min(0.2 * width, 0.8 * height) * per_px)
        return f"{length:g} {'nm' if size else 'px'}", round(100 * length / per_px / width, 2)

    def at(self, xy: np.ndarray) -> np.ndarray:
        """Places in the image as places on the screen, both in pixels with centers at integers."""
        return (xy + 0.5) / self.step - 0.5

    @cached_property
    def _cell(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the analyzed cell at every pixel of the screen, else -1."""
        own = np.argwhere(self.prepared.mask)
        cells = self.prepared.lattice.cells
        width, height = self.size
        y, x = np.mgrid[:height, :width]
        reach = 0.75 * cells.basis.cell_px / self.step
        near = (
            cKDTree(self.at(cells.xy[self.prepared.mask]))
            .query(np.column_stack([x.ravel(), y.ravel()]), distance_upper_bound=reach)[1]
            .reshape(height, width)
        )
        index = np.vstack([own, [-1, -1]])[near]
        return index[..., 0], index[..., 1]

    def colors(self, maps: Sequence[np.ndarray], shown: int = 0) -> dict[int, str]:
        """The colors of the labels of maps, those of their polarization in the shown map, else in
        the last that has them.
        """
        cells, sign = self.prepared.lattice.cells, self.prepared.polar_sign
        return reduce(or_, (direction_colors(cells, m, sign) for m in [*maps, maps[shown]]))

    def frame(self, labels: np.ndarray, named: Mapping[int, str]) -> str:
        """A label map as a transparent picture to lay over the backdrop: colors of the labels,
        walls in ink.
        """
        i, j = self._cell
        clean = Segmentation(labels, self.prepared.reference).clean
        shown, smooth = (np.where(i >= 0, grid[i, j], -1) for grid in (labels, clean))
        drawn = label_colors(shown, _OPACITY, named)
        drawn[_borders(smooth)] = to_rgba_array(INK)
        return _uri(np.round(255 * drawn).astype(np.uint8), "png", optimize=True)


def _borders(labels: np.ndarray) -> np.ndarray:
    """Pixels on either side of a boundary between two labels that are not negative."""
    on = np.zeros(labels.shape, bool)
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        unlike = (labels[one] != labels[other]) & (labels[one] >= 0) & (labels[other] >= 0)
        on[one] |= unlike
        on[other] |= unlike
    return on


def _uri(pixels: np.ndarray, kind: str, **options) -> str:
    """Pixels (bytes of red, green, blue and perhaps opacity) as a data URI of a picture."""
    buffer = io.BytesIO()
    imsave(
        buffer,
        pixels,
        format=kind,
        metadata={"Software": None} if kind == "png" else None,
        pil_kwargs=options,
    )
    return data_uri(buffer.getvalue(), kind)


# ---- the map under the pointer -------------------------------------------------------


def interactive_map(
    prepared: PreparedImage,
    labels: np.ndarray,
    table: pd.DataFrame,
    names: Mapping[int, str] | None = None,
) -> str:
    """A label map over the image that shows the values of the cell selected by pointer or arrow
    keys.

    Parameters
    ----------
    prepared : PreparedImage
    labels : ndarray of int, shape (R, C)
        Label per cell, -1 outside the analyzed mask.
    table : DataFrame
        One row per cell: ``i, j, x_px, y_px, label`` and any further quantities, such as
        :func:`bfo_utils.report.cells_table` gives. The end of a name is its unit (``a_nm``). Of
        more than :data:`MOST_SHOWN` cells, only every second (third, ...) along both axes is kept;
        quantities that no cell has are left out, and standard errors (``se_``).
    names : mapping of int to str, optional
        Names of the labels for the legend, see :func:`bfo_utils.report.domain_names`.

    Returns
    -------
    str
        HTML.
    """
    stage = Stage(prepared)
    every = int(np.ceil(np.sqrt(max(1.0, len(table) / MOST_SHOWN))))
    table = table[(table["label"] >= 0) & (table["i"] % every == 0) & (table["j"] % every == 0)]
    known = [
        name
        for name in table.columns
        if name not in ("i", "j", "x_px", "y_px")
        and not name.startswith("se_")
        and table[name].notna().any()
    ]
    quantities = [_quantity(name, table[name]) for name in known]
    xy = stage.at(table[["x_px", "y_px"]].to_numpy()).round(1)
    data = {
        "x": xy[:, 0].tolist(),
        "y": xy[:, 1].tolist(),
        "i": table["i"].tolist(),
        "j": table["j"].tolist(),
        "every": every,
        "quantities": quantities,
        "vectors": (prepared.lattice.cells.basis.vectors / stage.step).round(2).tolist(),
    }
    named = stage.colors([labels])
    told = ["cell (row i, column j)", *(q["name"] for q in quantities)]
    return fill_template(
        "cells.html",
        kind="cells",
        label="Map of the cells",
        data=data,
        stage=stage,
        frame=stage.frame(labels, named),
        clusters=_clusters([labels], named, names or {}),
        rows=[(name, "–") for name in told],
    )


def _quantity(column: str, values: pd.Series) -> dict:
    """A column of the table for the page: name and unit in words, values rounded."""
    stem, _, end = column.rpartition("_")
    name, unit = (stem, _UNITS[end]) if stem and end in _UNITS else (column, "")
    finite = values[np.isfinite(values)]
    digits = 0 if pd.api.types.is_integer_dtype(values) else _digits(finite)
    rounded = [None if not np.isfinite(v) else round(float(v), digits) for v in values]
    return {
        "column": column,
        "name": _NAMES.get(name, name.replace("_", " ")),
        "unit": unit,
        "digits": digits,
        "values": [v if v is None or digits else int(v) for v in rounded],
    }


def _digits(values: pd.Series) -> int:
    """Digits behind the point that leave three digits of the spread of the values.

    Examples
    --------
    >>> tuple(_digits(pd.Series(v)) for v in ([0.391, 0.402], [31.2, -12.0], [89.1, 91.3]))
    (4, 1, 2)
    """
    if not len(values):
        return 0
    spread = float(np.ptp(np.quantile(values, [0.02, 0.98]))) or float(abs(values.iloc[0])) or 1.0
    return int(np.clip(2 - np.floor(np.log10(spread)), 0, 4))


# ---- configurations to choose from ---------------------------------------------------


def interactive_front(analysis: Analysis) -> str:
    """The Pareto front as a chart; selecting a point shows its map, parameters, and rewards.

    Parameters
    ----------
    analysis : Analysis
        Its :func:`bfo_utils.results.alternative_maps` are the points to choose from, first the one
        of the highest total; the places of all trials are drawn as small dots.

    Returns
    -------
    str
        HTML.
    """

    def place(rewards: Mapping[str, float]) -> tuple[float, float]:
        return rewards["evidence"], rewards["continuity"]

    choices = [
        Choice(f"trial {trial.number}", outcome, place(outcome.rewards))
        for trial, outcome in alternative_maps(analysis)
    ]
    chosen = _highest(choices)
    others = [place(trial.rewards) for trial in analysis.trials]
    chart = _chart(choices, others, chosen, ("evidence", "continuity"))
    return _chooser(
        analysis.prepared,
        choices,
        chosen,
        chart,
        "Pareto front: select a point to see its map",
        [p.name for p in PARAMETERS if p.stage in ("descriptors", "clustering")],
    )


def interactive_windows(analysis: Analysis) -> str:
    """A slider for the window size, with the map and the rewards for each size.

    Parameters
    ----------
    analysis : Analysis
        See :func:`bfo_utils.results.maps_over_windows`; the size of the highest total is shown
        first.

    Returns
    -------
    str
        HTML; a sentence where no trial described cells by windows.
    """
    outcomes = maps_over_windows(analysis)
    if not outcomes:
        return "<p>No trial used windows as descriptors.</p>"
    sizes = [outcome.parameters["window_width"] for outcome in outcomes]
    choices = [
        Choice(f"{size:.2f} cells", outcome, (size, outcome.rewards["total"]))
        for size, outcome in zip(sizes, outcomes, strict=True)
    ]
    chosen = _highest(choices)
    chart = _chart(choices, (), chosen, ("window (cells)", "total"))
    return _chooser(
        analysis.prepared,
        choices,
        chosen,
        chart,
        "Window size: move the slider to see the map",
        slider=True,
    )


def _highest(choices: Sequence[Choice]) -> int:
    return int(np.argmax([choice.outcome.rewards["total"] for choice in choices]))


def _chooser(
    prepared: PreparedImage,
    choices: Sequence[Choice],
    chosen: int,
    chart: str,
    label: str,
    parameters: Sequence[str] = (),
    slider: bool = False,
) -> str:
    """A chart, or a slider and a chart, beside the map of what is chosen."""
    stage = Stage(prepared)
    values = [_values(choice, parameters) for choice in choices]
    maps = [choice.outcome.labels for choice in choices]
    named = stage.colors(maps, chosen)
    frames = [stage.frame(labels, named) for labels in maps]
    data = {
        "choices": [
            {
                "name": c.name,
                "frame": f,
                "values": list(v.values()),
                "shares": _shares(c.outcome.labels),
            }
            for c, f, v in zip(choices, frames, values, strict=True)
        ]
    }
    return fill_template(
        "choices.html",
        kind="choices",
        label=label,
        data=data,
        stage=stage,
        chart=chart,
        slider=slider,
        chosen=chosen,
        clusters=_clusters(maps, named, {}, chosen),
        rows=list(values[chosen].items()),
    )


def _values(choice: Choice, parameters: Sequence[str]) -> dict[str, str]:
    """What the table says of a choice, as text."""
    outcome = choice.outcome
    rewards = {name: f"{outcome.rewards[name]:.3f}" for name in _REWARDS if name in outcome.rewards}
    units = {p.name: f" {p.unit}" if p.unit else "" for p in PARAMETERS}
    chosen = {name: f"{format_value(outcome.parameters[name])}{units[name]}" for name in parameters}
    return {"shown": choice.name} | rewards | chosen


def _chart(
    choices: Sequence[Choice],
    others: Sequence[tuple[float, float]],
    chosen: int,
    names: tuple[str, str],
) -> str:
    """A chart whose choices are buttons, with the names of its axes."""
    width, height = _CHART
    ends = [_range(values) for values in zip(*(choice.place for choice in choices))]

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = ((v - low) / (high - low) for v, (low, high) in zip((x, y), ends))
        left, top = across * (width - _LEFT - _RIGHT), (1 - up) * (height - _TOP - _BOTTOM)
        return round(_LEFT + left, 1), round(_TOP + top, 1)

    (left, right), (low, high) = ends
    return fill_template(
        "chart.html",
        width=width,
        height=height,
        names=names,
        up=[(at(left, y), at(right, y)[0], f"{y:g}") for y in _ticks(low, high)],
        across=[(at(x, low), f"{x:g}") for x in _ticks(left, right)],
        middle=at((left + right) / 2, (low + high) / 2),
        dots=[at(x, y) for x, y in others if left <= x <= right and low <= y <= high],
        points=[(_told(choice, names), at(*choice.place)) for choice in choices],
        chosen=chosen,
    )


def _told(choice: Choice, names: tuple[str, str]) -> str:
    """A point in words."""
    return f"{choice.name}: {names[0]} {choice.place[0]:.2f}, {names[1]} {choice.place[1]:.2f}"


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis at quarters; rewards (at most 1) end at 1.

    Examples
    --------
    >>> _range([0.61, 0.9]), _range([0.5, 2.3])
    ((0.5, 1.0), (0.25, 2.5))
    """
    low = max(0.0, math.ceil(4 * min(values) - 1) / 4)
    return min(low, 0.75), max(1.0, math.ceil(4 * max(values)) / 4)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers along an axis, four to ten of them."""
    step = next(s for s in (0.05, 0.1, 0.25, 0.5) if (high - low) / s <= 5 or s == 0.5)
    return [
        round(step * k, 2) for k in range(math.ceil(low / step - 1e-9), int(high / step + 1e-9) + 1)
    ]


def _shares(labels: np.ndarray) -> dict[int, str]:
    """Share of the cells of every label of a map."""
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    return {
        k: f"{n / counts.sum():.0%}" for k, n in zip(found.tolist(), counts.tolist(), strict=True)
    }


def _clusters(
    maps: Sequence[np.ndarray],
    colors: Mapping[int, str],
    names: Mapping[int, str],
    shown: int = 0,
) -> list[tuple[int, str, str, str]]:
    """Label, color, name and share of the cells of all clusters of the maps; no share where the
    shown one lacks it.
    """
    shares = [_shares(labels) for labels in maps]
    return [
        (
            k,
            colors.get(k, LABELS[k % len(LABELS)]),
            names.get(k, f"cluster {k}"),
            shares[shown].get(k, ""),
        )
        for k in sorted(set().union(*shares))
    ]
