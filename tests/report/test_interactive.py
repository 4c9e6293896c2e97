"""Interactive maps: what the pieces hold, and what a reader sees who points, clicks, slides and
types.
"""

import base64
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from bfo_utils.figures import INK
from bfo_utils.report import (
    Choice,
    Stage,
    cells_table,
    interactive,
    interactive_front,
    interactive_map,
    interactive_windows,
)
from bfo_utils.report.interactive import _chart, _digits
from bfo_utils.results import COMPARED_WINDOWS, alternative_maps, maps_over_windows

HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"'
    ' content="width=device-width"><title>quiet</title><body style="margin:8px">'
)


@pytest.fixture(scope="module")
def table(answer):
    """The cells of the answer, with a further quantity of one that is not known everywhere."""
    table = cells_table(answer)
    return table.assign(
        posterior=np.where(table["i"] == 5, np.nan, 0.9876),
        nowhere=np.nan,
        **{"<img src=x onerror=document.title='loud'>": 1.5},
    )


@pytest.fixture(scope="module")
def pieces(answer, table):
    return {
        "cells": interactive_map(answer.prepared, answer.labels, table, {0: "down-right"}),
        "front": interactive_front(answer),
        "windows": interactive_windows(answer),
    }


@pytest.fixture(scope="module")
def file(pieces, tmp_path_factory):
    """A page with all three pieces, in a file."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(
        HEAD + "".join(f'<section id="{name}">{piece}</section>' for name, piece in pieces.items())
    )
    return path


@pytest.fixture
def page(browser, file):
    browser.get(file.as_uri())
    return browser


def find(page, selector):
    return page.find_elements("css selector", selector)


def values(page, piece):
    """The table of values of a piece as a reader sees it."""
    rows = (
        "return [...document.querySelectorAll(arguments[0])].map(row => [...row.children].map(cell"
        " => cell.innerText))"
    )
    return dict(page.execute_script(rows, f"#{piece} .bfo-values tr"))


def point_at(page, answer, row):
    """Move the pointer to the cell of a row of the table."""
    from selenium.webdriver import ActionChains

    (stage,) = find(page, "#cells .bfo-stage")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    height, width = answer.prepared.image.shape
    x, y = (row["x_px"] + 0.5) / width - 0.5, (row["y_px"] + 0.5) / height - 0.5
    size = stage.size
    ActionChains(page).move_to_element_with_offset(
        stage, round(x * size["width"]), round(y * size["height"])
    ).perform()


def told(row):
    """What the map has to say about a row."""
    return {
        "cell (row i, column j)": f"{row['i']:.0f}, {row['j']:.0f}",
        "label": f"{row['label']:.0f}",
    }


def measured(shown, name, unit):
    assert shown[name].endswith(unit if unit == "°" else f" {unit}")
    return float(shown[name].removesuffix(unit))


def shared_colors(stage, outcomes):
    totals = [outcome.rewards["total"] for outcome in outcomes]
    return stage.colors([outcome.labels for outcome in outcomes], int(np.argmax(totals)))


# ---- what the pieces hold ------------------------------------------------------------


def decoded(uri):
    return np.round(255 * imread(io.BytesIO(base64.b64decode(uri.split(",")[1])))).astype(int)


def test_the_legend_has_the_names_of_the_domains(pieces):
    assert "</span>down-right: <b>" in pieces["cells"] and "cluster 0:" not in pieces["cells"]
    assert "</span>cluster 0: <b>" in pieces["front"]


def test_a_frame_has_the_color_of_every_cell_at_its_place(answer):
    stage = Stage(answer.prepared)
    named = stage.colors([answer.tuned.labels])
    drawn = decoded(stage.frame(answer.tuned.labels, named))
    inside = answer.prepared.mask
    x, y = np.rint(stage.at(answer.prepared.lattice.cells.xy[inside])).astype(int).T
    expected = np.array(
        [[round(255 * c) for c in to_rgb(named[k])] for k in answer.tuned.labels[inside]]
    )
    ink = (drawn[y, x, :3] == [round(255 * c) for c in to_rgb(INK)]).all(axis=1)
    assert ((drawn[y, x, :3] == expected).all(axis=1) | ink).all() and ink.mean() < 0.1
    assert (drawn[:3, :, 3] == 0).all()  # beyond the analyzed cells the image is clear


def test_walls_are_drawn_between_domains_and_only_there(answer):
    stage = Stage(answer.prepared)
    assert (decoded(stage.frame(answer.labels, {}))[..., 3] == 255).any()
    assert not (
        decoded(stage.frame(np.where(answer.prepared.mask, 2, -1), {}))[..., 3] == 255
    ).any()


def data(piece):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', piece)[1])


def test_the_page_holds_every_analyzed_cell_and_says_where_it_does_not(answer, table, monkeypatch):
    inside = table[table["label"] >= 0]
    whole = interactive_map(answer.prepared, answer.labels, table)
    assert len(data(whole)["x"]) == len(inside) and "one in " not in whole
    monkeypatch.setattr(interactive, "MOST_SHOWN", len(table) // 3)
    thinned = interactive_map(answer.prepared, answer.labels, table)
    kept = data(thinned)
    assert {(i % 2, j % 2) for i, j in zip(kept["i"], kept["j"])} == {
        (0, 0)
    } and "one in 4 cells" in thinned


def test_nothing_comes_from_elsewhere_and_pages_stay_light(pieces):
    for piece in pieces.values():
        assert (
            not re.search(r"""(src|href)=["'](?!data:)""", piece)
            and "http" not in piece
            and "url(" not in piece
        )
    assert sum(map(len, pieces.values())) < 1_500_000


def test_texts_of_files_cannot_leave_their_place(pieces):
    assert "nowhere" not in pieces["cells"]
    assert "<img src=x" not in pieces["cells"] and "&lt;img src=x" in pieces["cells"]


@pytest.mark.parametrize(("spread", "digits"), [(0.02, 4), (0.2, 3), (40, 1), (900, 0), (0, 2)])
def test_digits_follow_the_spread(spread, digits):
    assert _digits(pd.Series(2.0 + spread * np.linspace(0, 1, 51))) == digits


def test_a_chart_has_its_points_between_its_numbers(answer):
    choices = [
        Choice("one", answer.tuned, place) for place in [(0.5, 0.62), (1.5, 0.3), (2.3, 1.0)]
    ]
    drawn = _chart(choices, [(1.0, 0.5), (1.0, 0.1)], 0, ("u", "v"))
    texts = re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([\d.]+)</text>', drawn
    )
    across = {float(number): float(x) for x, _, anchor, number in texts if anchor == "middle"}
    up = {float(number): float(y) - 4 for _, y, anchor, number in texts if anchor == "end"}
    assert list(across) == [0.5, 1.0, 1.5, 2.0, 2.5] and list(up) == [0.25, 0.5, 0.75, 1.0]
    points = [
        (float(x), float(y))
        for x, y in re.findall(r'bfo-point" cx="([\d.]+)" cy="([\d.]+)"', drawn)
    ]
    assert (
        across[1.5] == pytest.approx(points[1][0], abs=0.1)
        and across[2.0] < points[2][0] < across[2.5]
    )
    assert up[1.0] == pytest.approx(points[2][1], abs=0.1) and up[0.5] > points[0][1] > up[0.75]
    assert drawn.count("bfo-dot") == 1  # the other one lies below the axis


def test_without_windows_there_is_a_sentence_instead_of_a_slider(answer, monkeypatch):
    monkeypatch.setattr(interactive, "maps_over_windows", lambda answer: [])
    assert interactive_windows(answer) == "<p>No trial used windows as descriptors.</p>"


# ---- what a reader sees --------------------------------------------------------------


def test_pointing_at_cells_tells_their_values(page, answer, table):
    inside = table[table["label"] >= 0]
    assert set(values(page, "cells").values()) == {"–"}
    for k in (len(inside) // 4, len(inside) // 2 + 7):
        row = inside.iloc[k]
        point_at(page, answer, row)
        shown = values(page, "cells")
        assert told(row).items() <= shown.items()
        size = answer.prepared.image.pixel_size_nm
        assert size and measured(shown, "P along x", "pm") == pytest.approx(row["px_pm"], abs=0.06)
        assert measured(shown, "edge a", "nm") == pytest.approx(row["a_nm"], rel=1e-3)
        assert measured(shown, "angle between a and b", "°") == pytest.approx(
            row["angle_deg"], abs=0.006
        )
        assert shown["posterior"] == "0.988"
    point_at(page, answer, inside[inside["i"] == 5].iloc[3])
    assert values(page, "cells")["posterior"] == "–" != values(page, "cells")["edge a"]
    point_at(page, answer, {"x_px": 2, "y_px": 2})
    assert set(values(page, "cells").values()) == {"–"}


def test_arrow_keys_move_from_cell_to_cell(page, table):
    from selenium.webdriver import Keys

    (stage,) = find(page, "#cells .bfo-stage")
    page.execute_script("arguments[0].focus()", stage)
    before = [int(n) for n in values(page, "cells")["cell (row i, column j)"].split(", ")]
    stage.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    after = [int(n) for n in values(page, "cells")["cell (row i, column j)"].split(", ")]
    assert after == [before[0] + 1, before[1] + 2]
    row = table[(table["i"] == after[0]) & (table["j"] == after[1])].iloc[0]
    assert values(page, "cells")["label"] == f"{row['label']:.0f}"


def test_clicking_a_point_of_the_front_shows_its_map_and_parameters(page, answer):
    choices = alternative_maps(answer)
    points = find(page, "#front .bfo-point")
    assert len(points) == len(choices) > 1
    stage = Stage(answer.prepared)
    named = shared_colors(stage, [outcome for _, outcome in choices])
    for k, (trial, outcome) in reversed(list(enumerate(choices))):
        page.execute_script(
            "arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", points[k]
        )
        shown = values(page, "front")
        assert (
            shown["shown"] == f"trial {trial.number}"
            and shown["total"] == f"{trial.rewards['total']:.3f}"
        )
        assert (
            shown["n_clusters"] == str(trial.parameters["n_clusters"])
            and shown["site"] == trial.parameters["site"]
        )
        assert find(page, "#front .bfo-frame")[0].get_attribute("src") == stage.frame(
            outcome.labels, named
        )
        assert [p.get_attribute("aria-pressed") for p in points].index("true") == k


def test_a_real_click_and_the_keyboard_choose_points_too(page):
    from selenium.webdriver import Keys

    points = find(page, "#front .bfo-point")
    for act, k in (
        (lambda: points[-1].click(), len(points) - 1),
        (lambda: points[0].send_keys(Keys.ENTER), 0),
    ):
        act()
        assert [n for n, p in enumerate(points) if p.get_attribute("aria-pressed") == "true"] == [k]


def test_the_slider_walks_through_the_windows(page, answer):
    from selenium.webdriver import Keys

    outcomes = maps_over_windows(answer)
    stage = Stage(answer.prepared)
    named = shared_colors(stage, outcomes)
    (slider,) = find(page, "#windows input")
    slider.send_keys(Keys.HOME)
    for k, (size, outcome) in enumerate(zip(COMPARED_WINDOWS, outcomes, strict=True)):
        shown = values(page, "windows")
        assert shown["shown"] == f"{size:.2f} cells" == find(page, "#windows output")[0].text
        assert shown["total"] == f"{outcome.rewards['total']:.3f}"
        assert find(page, "#windows .bfo-frame")[0].get_attribute("src") == stage.frame(
            outcome.labels, named
        )
        assert find(page, "#windows .bfo-point")[k].get_attribute("aria-pressed") == "true"
        slider.send_keys(Keys.ARROW_RIGHT)
    find(page, "#windows .bfo-point")[2].click()
    assert slider.get_attribute("value") == "2"


def test_the_page_makes_no_error_and_no_request(page, file):
    page.get_log("browser"), page.get_log("performance")
    page.get(file.as_uri())
    asked = [json.loads(line["message"])["message"] for line in page.get_log("performance")]
    addresses = {
        m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"
    }
    assert {a for a in addresses if not a.startswith("data:")} == {file.as_uri()}
    assert [
        line for line in page.get_log("browser") if "favicon" not in line["message"]
    ] == [] and page.title == "quiet"


def test_a_narrow_page_does_not_scroll_sideways(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= 390
        assert all(0 < stage.size["width"] <= 390 for stage in find(page, ".bfo-stage"))
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_without_scripts_the_pictures_remain(browser, file):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(file.as_uri())
        assert all(
            img.is_displayed() and img.size["width"] > 100
            for img in find(browser, ".bfo-stage img")
        )
        assert (
            len(find(browser, ".bfo-stage img")) == 6 and len(find(browser, ".bfo-only-live")) == 2
        )
        assert not any(part.is_displayed() for part in find(browser, ".bfo-only-live"))
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
