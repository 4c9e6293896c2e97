import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from bfo_utils.errors import InputError
from bfo_utils.figures import ANGLES, NEUTRAL, direction_colors
from bfo_utils.report import (
    FIGURES,
    draw_derivative,
    draw_domains,
    draw_polarization,
    draw_profile,
    paper_figure,
    write_figures,
)

from ..test_cli import refused


@pytest.fixture(scope="module")
def files(loaded, tmp_path_factory):
    out = tmp_path_factory.mktemp("figures")
    return {p.name: p for p in write_figures(loaded, out, ["svg", "pdf", "png"], 200)}


def test_all_figures_are_drawn_in_their_width(files):
    assert {path.stem for path in files.values()} == set(FIGURES)
    for name in FIGURES:
        assert imread(files[f"{name}.png"]).shape[1] == pytest.approx(85 / 25.4 * 200, abs=1)
        assert re.search(r'<svg [^>]*width="240\.9\d*pt"', files[f"{name}.svg"].read_text())


def test_text_is_text_and_fonts_are_embedded(files):
    text = files["overview.svg"].read_text()
    words = re.findall(r"<text[^>]*>([^<]*)</text>", text)
    assert {"a)", "b)", "c)", "2 nm", "x", "y"} <= set(words) and "d) wall" in " ".join(words)
    assert any(word.startswith("20 pm") for word in words)
    assert "@font-face" in text and "font/ttf;base64," in text
    assert b"/FontFile2" in files["overview.pdf"].read_bytes()


def test_the_same_result_gives_the_same_bytes_and_replaces_its_own(loaded, files):
    folder = files["domains.svg"].parent
    before = {path: path.read_bytes() for path in files.values() if path.stem == "domains"}
    write_figures(loaded, folder, ["svg", "pdf", "png"], 200, only=["domains"])
    assert all(path.read_bytes() == content for path, content in before.items())


def test_panels_take_an_axes_and_return_it(loaded):
    axes = Figure().subplots()
    assert draw_domains(axes, loaded) is axes
    names = [text.get_text() for text in axes.get_legend().texts]
    assert names == loaded.domains["name"].tolist()
    axes = Figure().subplots()
    assert draw_profile(axes, loaded, 0) is axes and axes.get_ylabel() == "P (pm)"
    assert axes.lines[0].get_xdata().tolist() == pytest.approx(
        loaded.profiles.query("segment == 0")["distance_nm"].tolist()
    )


def test_the_key_of_the_arrows_is_their_length(loaded):
    axes = Figure().subplots()
    draw_polarization(axes, loaded)
    (key,) = [a for a in axes.get_children() if type(a).__name__ == "QuiverKey"]
    pm = float(key.text.get_text().split()[0])
    assert pm == pytest.approx(1000 * loaded.image.pixel_size_nm * key.U)


def test_divergence_is_shown_where_it_is(loaded):
    axes = Figure().subplots()
    draw_derivative(axes, loaded, "div_p")
    shown = np.isfinite(loaded.on_grid("div_p"))
    drawn = axes.collections[-1].get_array()
    assert np.allclose(drawn, 100 * loaded.on_grid("div_p")[shown])


def test_a_domain_has_the_color_of_its_direction(loaded):
    colors = direction_colors(loaded.grid, loaded.labels, loaded.polar_sign)
    other = direction_colors(loaded.grid, loaded.labels, -1)
    for _, row in loaded.domains.iterrows():
        turn = np.deg2rad(row["p_angle_deg"]) / (2 * np.pi)
        assert colors[row["label"]] == to_hex(ANGLES(turn + 0.5))
        assert other[row["label"]] == to_hex(ANGLES((turn + 1) % 1))
    still = replace(loaded.grid, polar=0 * loaded.grid.polar)
    assert set(direction_colors(still, loaded.labels).values()) <= set(NEUTRAL)
    one = np.where(loaded.labels == 0, np.indices(loaded.labels.shape)[0] % 2, -1)
    assert len(set(direction_colors(loaded.grid, one).values())) == 2


def test_what_a_result_lacks_is_left_out_or_refused(loaded):
    flat = replace(loaded, walls=loaded.walls[:0], profiles=loaded.profiles[:0])
    with pytest.raises(
        InputError, match="walls cannot be drawn, because it requires that there are walls"
    ):
        paper_figure(flat, "walls")
    assert len(paper_figure(flat, "overview").axes) >= 2
    strain = replace(loaded, summary={**loaded.summary, "sublattices": ["A"]})
    with pytest.raises(
        InputError,
        match="roses cannot be drawn, because it requires that the second sublattice is seen",
    ):
        paper_figure(strain, "roses")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--only", "map"), "'map' is not a figure; choose from overview, domains"),
        (("--format", "eps"), "'eps' is not a format; choose from svg, pdf, png"),
        (("--width", "wide"), "'wide' is not a width; give, for example, 85mm"),
        (("--width", "2mm"), "2 mm; give 20 to 400 mm"),
        (("--dpi", "1"), "1 at 85 mm is not a valid"),
    ],
)
def test_wrong_options_are_one_line(stored, capsys, options, message):
    assert message in refused(capsys, "figures", stored, *options)
    assert not (stored / "figures").exists()


def test_figures_of_the_users_stay(stored, tmp_path, capsys):
    (tmp_path / "domains.svg").write_text("<svg/>")
    line = refused(
        capsys, "figures", stored, "--format", "svg", "--only", "domains", "--out", tmp_path
    )
    assert "domains.svg: already exists" in line
    assert (tmp_path / "domains.svg").read_text() == "<svg/>"
