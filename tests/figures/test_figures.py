"""Figures: each is drawn from plain data, shows what it was given, and is saved whole and
reproducibly.
"""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.image import imread
from matplotlib.quiver import Quiver
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from bfo_utils.columns import find_columns
from bfo_utils.figures import (
    ANGLES,
    CONCEPTS,
    DPI,
    LABELS,
    TALLEST,
    WIDTH,
    Figure,
    color_limits,
    direction_colors,
    label_colors,
    plot_anomalies,
    plot_before_after,
    plot_components,
    plot_curves,
    plot_image,
    plot_importance,
    plot_label_map,
    plot_landscape,
    plot_maps,
    plot_mean_windows,
    plot_over_composition,
    plot_pareto_front,
    plot_polarization,
    plot_quantities,
    plot_rewards,
    plot_rose,
    plot_roses,
    plot_scan,
    plot_scatter,
    plot_shares,
    plot_trials,
    plot_walls,
    plot_window_landscapes,
    quadrilaterals,
    round_down,
    save_figure,
    to_px,
    wall_lines,
)
from bfo_utils.figures.style import _settings
from bfo_utils.lattice import ScanDistortion, build_lattice
from bfo_utils.rewards import analyzed_mask
from bfo_utils.segmentation import trace_walls
from bfo_utils.simulation import Specimen, simulate_phantom
from bfo_utils.vae import Anomalies


@pytest.fixture(scope="module")
def simulated():
    return simulate_phantom(Specimen(layout="halves", cells=20, cell_px=16, dose=300), seed=3)


@pytest.fixture(scope="module")
def image(simulated):
    return simulated.image


@pytest.fixture(scope="module")
def indexed(image):
    return build_lattice(image, find_columns(image))


@pytest.fixture(scope="module")
def cells(indexed):
    return indexed.cells


@pytest.fixture
def labels(cells):
    """The two domains of the phantom, one row of the grid left out."""
    labels = np.where(cells.polar[..., 0] > 0, 1, 0)
    labels[~cells.valid] = -1
    labels[0] = -1
    return labels


@pytest.fixture
def without_b(cells):
    """The same crystal with the second sublattice unseen."""
    unseen = {
        name: np.full_like(getattr(cells, name), np.nan)
        for name in ("polar", "b_site", "b_intensity")
    }
    return replace(cells, has_b=False, **unseen)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    rewards = {name: rng.random(20) for name in ("total", "continuity", "straightness", "evidence")}
    return pd.DataFrame({"number": np.arange(20), "seconds": 0.1, **rewards})


def drawn(axes, kind):
    """Artists of one kind on a panel."""
    return [artist for artist in axes.get_children() if isinstance(artist, kind)]


def texts(figure):
    """All text of a figure."""
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def bar_text(axes):
    """Label of the scale bar of a panel."""
    (bar,) = drawn(axes, AnchoredSizeBar)
    return bar.txt_label.get_text()


def legend(figure):
    return [text.get_text() for text in figure.legends[0].texts]


# ---- saving and display --------------------------------------------------------------


def test_save_is_reproducible_and_leaves_nothing_else(tmp_path, image, cells, labels):
    for name in ("one.png", "two.png"):
        save_figure(plot_label_map(image, cells, labels), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.png", "two.png"]
    assert imread(tmp_path / "one.png").shape[0] <= (TALLEST + 0.5) * DPI
    assert b"Software" not in (tmp_path / "one.png").read_bytes()


def test_a_saved_figure_is_drawn_once_and_looks_as_matplotlib_saves_it(tmp_path, monkeypatch):
    def figure():
        made = Figure(figsize=(3, 2), layout="constrained")
        made.colorbar(made.subplots().imshow(np.eye(9)), label="value")
        return made

    figure().savefig(tmp_path / "theirs.png", dpi=DPI)
    drawn, draw = [], Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda self, r: (drawn.append(1), draw(self, r)))
    save_figure(figure(), tmp_path / "ours.png")
    assert (imread(tmp_path / "ours.png") == imread(tmp_path / "theirs.png")).all()
    assert len(drawn) == 1


def test_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "old.png"
    target.write_bytes(b"old")

    def broken(self, file, **kwargs):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(FigureCanvasAgg, "print_png", broken)
    with pytest.raises(OSError, match="disk full"):
        save_figure(Figure(), target)
    assert [p.name for p in tmp_path.iterdir()] == ["old.png"] and target.read_bytes() == b"old"


def test_figures_display_themselves_without_pyplot():
    code = (
        "import sys; from bfo_utils.figures import plot_importance; png = plot_importance({'site':"
        " 1.0})._repr_png_(); print(png[:4] == bytes([137, 80, 78, 71]), 'matplotlib.pyplot' in"
        " sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["True", "False"]


def test_users_settings_change_nothing(tmp_path):
    def saved(name):
        save_figure(plot_importance({"site": 1.0}), tmp_path / name)
        return (tmp_path / name).read_bytes()

    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 20}):
        changed = saved("changed.png")
    assert changed == saved("plain.png")


# ---- style ---------------------------------------------------------------------------


def test_labels_keep_their_colors_and_differ():
    colors = label_colors(np.arange(len(LABELS)))
    assert len(np.unique(colors, axis=0)) == len(LABELS)
    np.testing.assert_array_equal(label_colors(np.array([[3, -1]]))[0, 0], colors[3])


def test_angles_are_cyclic_without_a_jump():
    rgb = ANGLES(np.linspace(0, 1, 256))[:, :3]
    steps = np.abs(np.diff(np.vstack([rgb, rgb[:1]]), axis=0)).max(axis=1)
    assert steps.max() < 0.04


@given(st.floats(1e-3, 1e5))
def test_scale_bars_are_round_and_fit(value):
    length = round_down(value)
    assert value / 2.5 <= length * (1 + 1e-9) and length <= value * (1 + 1e-9)
    assert f"{length:e}"[0] in "125"


def test_limits_of_constant_and_missing_values():
    for values in (np.full(4, 2.0), np.full(4, np.nan)):
        for about in (None, 0):
            scale = color_limits(values, about)
            assert np.isfinite([scale.vmin, scale.vmax]).all() and scale.vmin < scale.vmax


# ---- placement -----------------------------------------------------------------------


def test_grid_points_fall_on_cells_and_columns(cells):
    i, j = np.nonzero(analyzed_mask(cells))
    np.testing.assert_allclose(to_px(cells, np.stack([j, i], 1)), cells.xy[i, j], atol=1e-9)
    corner = to_px(cells, np.stack([j, i], 1) - 0.5)
    np.testing.assert_allclose(corner, cells.corner[i, j], atol=0.06 * cells.basis.cell_px)


def test_placement_goes_on_beyond_the_crystal(cells):
    holes = replace(cells, xy=np.where(np.indices(cells.shape)[1][..., None] > 4, cells.xy, np.nan))
    away = to_px(holes, np.array([[2.0, 9.0], [-3.0, 9.0]]))
    np.testing.assert_allclose(away[0], cells.xy[9, 2], atol=0.1 * cells.basis.cell_px)
    np.testing.assert_allclose(away[0] - away[1], 5 * cells.basis.vectors[0], atol=1e-9)


def test_quadrilaterals_share_their_corners(cells):
    quads = quadrilaterals(cells)
    assert np.isfinite(quads).all()
    np.testing.assert_array_equal(quads[:, :-1, 1], quads[:, 1:, 0])
    np.testing.assert_array_equal(quads[:-1, :, 2], quads[1:, :, 1])
    edge = np.roll(quads, -1, axis=2) - quads
    area = (quads[..., 0] * (quads + edge)[..., 1] - quads[..., 1] * (quads + edge)[..., 0]).sum(
        axis=2
    ) / 2
    assert np.all(area > 0.8 * cells.basis.cell_px**2)


def test_wall_lines_run_between_their_cells(cells, labels):
    walls = trace_walls(labels)
    lines = wall_lines(cells, walls)
    first, second = (cells.xy[tuple(walls.cells[:, k].T)] for k in (0, 1))
    np.testing.assert_allclose(
        lines.mean(axis=1), (first + second) / 2, atol=0.1 * cells.basis.cell_px
    )
    along, across = lines[:, 1] - lines[:, 0], second - first
    assert np.all(np.abs((along * across).sum(axis=1)) < 0.1 * cells.basis.cell_px**2)


# ---- maps ----------------------------------------------------------------------------


def test_image_in_nm_or_px(image):
    assert bar_text(plot_image(image).axes[0]).endswith(" nm")
    assert bar_text(plot_image(replace(image, pixel_size_nm=None)).axes[0]).endswith(" px")


def test_image_marks_columns_of_both_sublattices(image, indexed):
    figure = plot_image(image, lattice=indexed, zoom=(50, 60, 80, 40))
    assert len(figure.axes) == 2 and figure.axes[1].get_xlim() == (49.5, 129.5)
    assert figure.axes[1].get_ylim() == (99.5, 59.5)
    good = indexed.columns.ok & (indexed.sublattice == "B")
    assert f"B columns ({good.sum():,})" in legend(figure)
    assert len(figure.axes[1].lines[1].get_xdata()) == good.sum()
    (doubtful,) = figure.axes[0].lines  # rings would hide the whole image
    assert len(doubtful.get_xdata()) == (~indexed.columns.ok).sum()


def test_image_marks_unsorted_columns(image, indexed):
    figure = plot_image(image, columns=indexed.columns)
    assert legend(figure)[0] == f"columns ({indexed.columns.ok.sum():,})"


def test_wide_images_are_stacked(image):
    wide = replace(image, data=image.data[:64], valid=image.valid[:64])
    figure = plot_image(wide, zoom=(10, 10, 40, 40))
    figure.draw_without_rendering()
    upper, lower = (axes.get_position() for axes in figure.axes)
    assert lower.y1 < upper.y0


def test_large_images_are_averaged_not_cropped(image):
    big = replace(image, data=np.tile(image.data, (6, 6)), valid=np.tile(image.valid, (6, 6)))
    (shown,) = plot_image(big).axes[0].images
    assert shown.get_array().shape == (960, 960) and shown.get_extent() == [
        -0.5,
        1919.5,
        1919.5,
        -0.5,
    ]


def test_label_map_paints_cells_at_their_places(image, cells, labels):
    figure = plot_label_map(image, cells, labels, names={1: "right"})
    (painted,) = drawn(figure.axes[0], PolyCollection)
    inside = labels >= 0
    assert len(painted.get_paths()) == inside.sum()
    centers = np.array([path.vertices[:4].mean(axis=0) for path in painted.get_paths()])
    np.testing.assert_allclose(centers, cells.xy[inside], atol=0.1 * cells.basis.cell_px)
    named = direction_colors(cells, labels)
    expected = label_colors(labels[inside], named=named)
    np.testing.assert_array_equal(painted.get_facecolors(), expected)
    share = 100 * (labels == 1).sum() / inside.sum()
    assert legend(figure) == [f"cluster 0: {100 - share:.0f} %", f"right: {share:.0f} %"]


def test_label_map_draws_the_walls_it_is_given(image, cells, labels):
    walls = trace_walls(labels)
    for line in drawn(plot_label_map(image, cells, labels, walls).axes[0], LineCollection):
        np.testing.assert_allclose(line.get_segments(), wall_lines(cells, walls))


@pytest.mark.parametrize("value", [-1, 0])
def test_maps_without_any_wall(image, cells, value):
    labels = np.full(cells.shape, value)
    for figure in (
        plot_label_map(image, cells, labels),
        plot_polarization(image, cells, labels),
        plot_before_after(image, cells, labels, labels),
        plot_rose(trace_walls(labels)),
        plot_walls(image, cells, labels, trace_walls(labels)),
    ):
        assert figure._repr_png_()
    assert "no walls" in texts(figure)


def test_before_after_has_one_legend_for_both(image, cells, labels):
    other = np.where(labels >= 0, 2, -1)
    figure = plot_before_after(image, cells, labels, other, ("a caption " * 20, "tuned"))
    assert legend(figure) == ["cluster 0", "cluster 1", "cluster 2"]
    assert max(len(line) for line in figure.axes[0].get_title().splitlines()) <= 50


def test_walls_and_the_rose_of_a_vertical_wall(image, cells, labels):
    walls = trace_walls(labels)
    figure = plot_walls(image, cells, labels, walls)
    colored = [
        line for line in drawn(figure.axes[0], LineCollection) if line.get_array() is not None
    ]
    np.testing.assert_array_equal(colored[0].get_array(), walls.roughness)
    assert "100 % straight" in figure.axes[0].get_title()
    longest = max(figure.axes[1].patches, key=lambda bar: bar.get_height())
    assert np.rad2deg(longest.get_x() + longest.get_width() / 2) % 180 == pytest.approx(90)


def test_rose_follows_the_lattice():
    walls = trace_walls(np.repeat([[0, 0, 1]], 9, axis=0))
    for vectors, angle in ((None, 90), (np.array([[0, 5], [-5, 0]]), 0)):
        longest = max(plot_rose(walls, vectors).axes[0].patches, key=lambda bar: bar.get_height())
        assert np.rad2deg(longest.get_x() + longest.get_width() / 2) % 180 == pytest.approx(
            angle, abs=1e-9
        )


def test_arrows_point_along_the_displacement(image, cells):
    figure = plot_polarization(image, cells)
    (arrows,) = drawn(figure.axes[0], Quiver)
    assert arrows.N == cells.n
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], 1), cells.polar[cells.valid])
    (magnitude,) = drawn(figure.axes[1], PolyCollection)
    assert 25 < np.median(np.asarray(magnitude.get_array())) < 45  # pm: the phantom's 36
    assert {"pm", "magnitude of the displacement"} <= set(texts(figure))


def test_arrows_are_thinned_by_averaging(image, cells):
    def tiled(values):
        return np.tile(values, (4, 4, 1)) if values.ndim == 3 else np.tile(values, (4, 4))

    large = replace(
        cells, **{k: tiled(v) for k, v in vars(cells).items() if isinstance(v, np.ndarray)}
    )
    (arrows,) = drawn(plot_polarization(image, large).axes[0], Quiver)
    assert 500 < arrows.N <= 1600


def test_polarization_without_pixel_size_is_in_px(image, cells):
    assert "px" in texts(plot_polarization(replace(image, pixel_size_nm=None), cells))


def test_polarization_without_b_columns_shows_strain(image, without_b, labels):
    figure = plot_polarization(image, without_b, labels)
    assert "not seen" in figure.get_suptitle() and not drawn(figure.axes[0], Quiver)
    for panel, center in zip(figure.axes, (1, 0), strict=False):
        scale = drawn(panel, PolyCollection)[0].norm
        assert (scale.vmin + scale.vmax) / 2 == pytest.approx(center)


def test_physics_shows_what_is_seen(cells, without_b):
    full = [axes.get_title() for axes in plot_quantities(cells, 0.02).axes if axes.get_title()]
    assert len(full) == 9 and {"direction of P", "amplitude of B columns", "rotation"} <= set(full)
    part = plot_quantities(without_b)
    assert sum(bool(axes.get_title()) for axes in part.axes) == 6 and "px" in texts(part)
    assert not drawn(part.axes[0], QuadMesh) and "nm" not in texts(part)


def test_components_lie_where_the_mask_says():
    mask = np.array([[True, False, True], [True, True, False]])
    figure = plot_components(np.arange(8.0).reshape(4, 2), mask)
    shown = figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(np.asarray(shown[mask]), [1, 3, 5, 7])
    assert np.ma.getmaskarray(np.ma.masked_invalid(shown))[~mask].all()


def test_small_maps_keep_the_colors_of_labels():
    shown = np.array([[0, 1], [2, -1]])
    figure = plot_maps([shown] * 5, [f"map {k}\ntotal 0.5" for k in range(5)])
    assert [axes.get_title() for axes in figure.axes][-1] == "map 4\ntotal 0.5" and len(
        figure.axes
    ) == 5
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), label_colors(shown))


# ---- charts --------------------------------------------------------------------------


def test_mean_windows_and_their_differences():
    windows = np.stack([np.full((5, 7), v) for v in (1.0, 3.0, 8.0)])
    figure = plot_mean_windows(windows, np.array([0, 0, 2]), samples_per_cell=6)
    values = [float(axes.images[0].get_array().mean()) for axes in figure.axes[:4]]
    assert values == [2, 8, -2, 4]
    assert figure.axes[1].get_title() == "cluster 2\n1 cells"
    np.testing.assert_allclose(
        figure.axes[1].spines["top"].get_edgecolor(), label_colors(np.array(2))
    )


def test_scatter_of_one_component():
    figure = plot_scatter(np.arange(4.0)[:, None], np.array([0, 1, 1, 3]))
    assert legend(figure) == ["cluster 0", "cluster 1", "cluster 3"]


def test_rewards_total_first_and_gaps_left_empty():
    figure = plot_rewards(
        {"a": {"evidence": 0.25, "total": 0.5}, "b": {"total": 0.75, "extra": 1.0}}
    )
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["total", "evidence", "extra"]
    assert [text.get_text() for text in axes.texts] == ["0.50", "0.25", "", "0.75", "", "1.00"]
    assert legend(figure) == ["a", "b"]


@given(st.lists(st.one_of(st.just(np.nan), st.floats(0, 1)), min_size=1, max_size=12))
def test_best_so_far_never_falls(total):
    total = np.array(total)
    figure = plot_trials(
        pd.DataFrame(
            {
                "number": np.arange(len(total))[::-1],
                "total": total[::-1],
                "seconds": 0.1,
                **dict.fromkeys(("continuity", "straightness", "evidence"), 0.5),
            }
        )
    )
    best = figure.axes[0].lines[1].get_ydata()
    expected = np.fmax.accumulate(total)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(best[known], expected[known])


def test_pareto_marks_front_and_chosen(table):
    figure = plot_pareto_front(table.assign(chosen=table["number"] == 4), table.iloc[:3])
    assert [t.get_text() for t in figure.axes[0].get_legend().texts] == [
        "trial",
        "front (3)",
        "chosen",
    ]
    assert figure.axes[0].lines[0].get_xdata()[0] == table["evidence"][4]
    assert len(plot_pareto_front(table, table.iloc[:3]).axes[0].get_legend().texts) == 2


def test_the_landscape_marks_the_chosen_point_between_its_rows_and_beside_the_number():
    values = np.linspace(0, 1, 6).reshape(3, 2)
    figure = plot_landscape(values, [0.5, 1.0, 2.0], [2, 3], chosen=(1.5, 3))
    axes = figure.axes[0]
    assert axes.lines[0].get_xydata().round(2).tolist() == [[1.36, 1.5]]
    assert [text.get_text() for text in axes.texts][:2] == ["0.00", "0.20"]
    np.testing.assert_array_equal(axes.images[0].get_array(), values)
    assert not plot_landscape(values, [0.5, 1.0, 2.0], [2, 3]).axes[0].lines


def test_curves_hold_their_values():
    lines = (
        plot_curves([0, 45, 90], {"a": [1, 0.5, 1], "b": [0, 0, 0]}, "angle (degrees)")
        .axes[0]
        .lines
    )
    assert [list(line.get_ydata()) for line in lines] == [[1, 0.5, 1], [0, 0, 0]]


def test_importance_takes_a_series():
    figure = plot_importance(pd.Series({"a": 0.1, "b": 0.7}))
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.7, 0.1]


# ---- legibility ----------------------------------------------------------------------


def test_text_is_legible_and_does_not_overlap(image, indexed, cells, without_b, labels, table):
    reward = {"default": {"total": 0.1, "evidence": 0.4}, "tuned": {"total": 0.8, "evidence": 0.9}}
    series = {"ours": [0.9931, 0.9964, 1.0021], "authors": [0.9, 1.0, 1.1]}
    for figure in (
        plot_image(image, lattice=indexed, zoom=(10, 10, 60, 60)),
        plot_label_map(image, cells, labels),
        plot_walls(image, cells, labels, trace_walls(labels)),
        plot_polarization(image, cells, labels),
        plot_polarization(image, without_b),
        plot_quantities(cells, 0.02),
        plot_quantities(without_b),
        plot_rewards(reward),
        plot_trials(table),
        plot_pareto_front(table, table.iloc[:2]),
        plot_before_after(image, cells, labels, labels),
        plot_maps([labels] * 6, ["wall as class\ntotal 0.21\nC × S 0.60"] * 6),
        plot_landscape(
            np.random.default_rng(0).random((6, 6)), np.linspace(0.5, 2.5, 6), range(2, 8)
        ),
        plot_curves(np.arange(9), {"straightness": np.ones(9)}, "angle (degrees)"),
        plot_over_composition(
            [0, 7, 20], dict.fromkeys([f"quantity {k} (nm²)" for k in range(5)], series), "% Sm"
        ),
        plot_shares(
            {f"Sm_{k}_0": {"left-down": 0.3, "right-up": 0.2, "no variant": 0.5} for k in range(14)}
        ),
        plot_roses(
            [trace_walls(labels)] * 14,
            [cells.basis.vectors] * 14,
            ["Sm_10_0\n10.3 per 100 cells"] * 14,
        ),
    ):
        assert figure.get_figwidth() <= WIDTH
        assert_legible(figure)


def assert_legible(figure):
    """Every text has 9 pt or more, lies on the page and touches no other."""
    figure.draw_without_rendering()
    page = figure.bbox.padded(2)
    boxes = {text: text.get_window_extent() for text in drawn_texts(figure)}
    assert boxes
    for text, box in boxes.items():
        assert text.get_fontsize() >= 9
        assert page.contains(*box.min) and page.contains(*box.max), text
        near = [
            other
            for other, b in boxes.items()
            if other is not text and box.padded(-1).overlaps(b.padded(-1))
        ]
        assert not near, f"{text} overlaps {near}"


def drawn_texts(figure):
    """All texts but the labels of ticks outside their axis, or of axes that are off: those are
    never drawn.
    """
    with _settings():
        ticks, seen = tick_labels(figure)
    every = [
        text
        for text in figure.findobj(matplotlib.text.Text)
        if text.get_visible() and text.get_text().strip()
    ]
    return [text for text in every if text in seen or text not in ticks]


def tick_labels(figure):
    """The labels of all ticks of a figure, and of those that are drawn."""
    ticks, seen = set(), set()
    for axes in figure.findobj(matplotlib.axes.Axes):
        for axis in (axes.xaxis, axes.yaxis):
            ticks |= {
                label
                for tick in axis.majorTicks + axis.minorTicks
                for label in (tick.label1, tick.label2)
            }
            seen |= {
                label
                for tick in axis._update_ticks() * axes.axison
                for label in (tick.label1, tick.label2)
            }
    return ticks, seen


def test_quantities_over_a_composition_show_every_image_and_the_means():
    displacement = {"ours": [1.0, 3.0, np.nan], "authors": [1.0, 2.0, 5.0]}
    figure = plot_over_composition(
        [0, 0, 20], {"P (pm)": displacement, "order": {"o": [1, 0, 1]}}, "% Sm"
    )
    left, right = figure.axes
    lines = {
        line.get_label(): line for line in left.get_lines() if not line.get_label().startswith("_")
    }
    assert list(lines["ours"].get_xdata()) == [0, 20] and lines["ours"].get_ydata()[0] == 2
    assert [t.get_text() for t in left.get_legend().texts] == [
        "ours",
        "authors",
    ] and right.get_legend() is None
    assert left.get_ylabel() == "P (pm)" and right.get_xlabel() == "% Sm"


def test_shares_are_stacked_to_a_hundred_in_the_colors_of_the_labels():
    figure = plot_shares({"one": {"up": 0.25, "down": 0.75}, "two": {"up": 1.0, "down": 0.0}})
    bars = figure.axes[0].containers
    assert [round(b.get_x() + b.get_width()) for b in bars[1]] == [100, 100]
    assert np.allclose(bars[1][0].get_facecolor(), label_colors(1))


def test_roses_stand_five_in_a_row(labels, cells):
    walls = trace_walls(labels)
    figure = plot_roses([walls] * 7, [cells.basis.vectors] * 7, list("abcdefg"))
    assert [axes.get_title() for axes in figure.axes] == list("abcdefg")
    tops = [round(axes.get_position().y0, 2) for axes in figure.axes]
    assert len(set(tops)) == 2 and drawn(figure.axes[6], matplotlib.patches.Rectangle)


def test_anomalous_cells_are_ringed_at_their_place():
    error = np.zeros((6, 8))
    error[4, 2] = 9.0
    distance = np.full((6, 8), np.nan)
    distance[1, 5] = 7.0
    figure = plot_anomalies(Anomalies(error, distance))
    for panel in figure.axes[:2]:
        (rings,) = panel.lines
        assert sorted(zip(*rings.get_data(), strict=True)) == [(2, 4), (5, 1)]


@pytest.mark.parametrize("axis", ["x", "y", "none"])
def test_the_displacement_of_rows_stands_beside_the_image(axis, prepared):
    image, cells = prepared.image, prepared.lattice.cells
    n = 0 if axis == "none" else image.shape[axis == "y"]
    moved = np.sin(np.arange(n) / 3)
    scan = ScanDistortion(axis, moved, 0 * moved + 0.1, cell_px=16.0, sigma_px=2.4, corrected=True)
    figure = plot_scan(image, cells, scan)
    beside = figure.axes[1]
    shown = beside.lines[0].get_data()[axis == "y"]
    assert np.array_equal(shown, moved if n else np.zeros(image.shape[0]))
    assert f"along {'y' if axis == 'y' else 'x'}" in beside.get_xlabel() + beside.get_ylabel()
    titles = [axes.get_title() for axes in figure.axes]
    assert "P along the scan, as scanned" in titles and "P along the scan, scan corrected" in titles


def test_window_landscapes_mark_the_highest_value_of_every_site():
    values = np.zeros((3, 3))
    values[2, 1] = 0.8
    figure = plot_window_landscapes({"A": values, "cell": values.T / 2}, [0.5, 1.0, 2.0])
    first, second = figure.axes[:2]
    assert [axes.get_title() for axes in (first, second)] == ["A: 0.80", "cell: 0.40"]
    assert [tuple(np.ravel(a.lines[0].get_xydata())) for a in (first, second)] == [(1, 2), (2, 1)]
    assert [t.get_text() for t in first.get_yticklabels()] == ["0.5", "1", "2"]
    assert first.get_ylabel() == "height (cells)" and second.get_xlabel() == "width (cells)"


def test_every_picture_of_an_idea_lies_in_the_book_and_is_shown():
    book = Path(__file__).parents[2] / "book"
    pages = "".join(page.read_text() for page in book.glob("*.md"))
    for name in CONCEPTS:
        assert f"images/{name}.png" in pages
        assert (book / "images" / f"{name}.png").stat().st_size < 1e6
