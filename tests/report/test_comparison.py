"""Two results beside each other: which cells count as the same, and a page that stands alone."""

import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.report import (
    comparison_html,
    load_compared,
    match_runs,
    write_comparison,
    write_results,
)
from bfo_utils.results import analyze
from bfo_utils.search import SearchPlan

from ..test_cli import refused


class Page(HTMLParser):
    """Tags, texts and rows of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.rows = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.row, self.words = dict(attributes), []

    def handle_data(self, data):
        self.texts.append(data)
        if hasattr(self, "words"):
            self.words.append(data.strip())

    def handle_endtag(self, tag):
        if tag == "tr":
            name, *values = [word for word in self.words if word]
            self.rows[name] = values, self.row.get("class")


@pytest.fixture(scope="module")
def results(junction, tmp_path_factory):
    """Folders of two analyses of one image."""
    folders = [tmp_path_factory.mktemp("results") / name for name in ("three", "five")]
    for n, folder in zip((3, 5), folders, strict=True):
        write_results(analyze(junction.image, SearchPlan(4, fixed={"n_clusters": n})), folder)
    return folders


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    return Page(write_comparison(*results, tmp_path_factory.mktemp("page")).read_text())


def test_the_page_stands_alone(page):
    addresses = [
        value
        for _, attributes in page.tags
        for key, value in attributes.items()
        if key in ("src", "href")
    ]
    assert addresses and all(address.startswith("data:image/png;base64,") for address in addresses)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")


def test_what_differs_is_marked_and_the_rest_is_not(page, results):
    one, two = (json.loads((folder / "result.json").read_text()) for folder in results)
    assert page.rows["n_clusters"] == (["3", "5", "≠"], "differs")
    for name in one["parameters"]:
        assert (page.rows[name][1] == "differs") == (
            one["parameters"][name] != two["parameters"][name]
        ), name
    total = one["rewards"]["total"], two["rewards"]["total"]
    assert page.rows["total"][0] == [
        f"{total[0]:.4g}",
        f"{total[1]:.4g}",
        f"{total[1] - total[0]:+.3g}",
    ]
    assert page.rows["sha256"][1] is None and page.rows["search"][1] is None
    assert any("parameters differ" in text and "n_clusters" in text for text in page.texts)


def test_maps_stand_side_by_side_with_their_difference(page):
    pictures = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert pictures == [
        "Bars of all rewards of both maps",
        "Label map of A",
        "Label map of B",
        "Both label maps on the grid of cells, and the cells in which they differ",
        "Polarization of A",
        "Polarization of B",
    ]


def test_domains_and_walls_stand_side_by_side(page, results):
    for key, folder in zip("AB", results):
        summary = json.loads((folder / "result.json").read_text())
        for domain in summary["domains"]:
            assert page.texts.count(domain["name"]) >= 1
        assert f"{key}: domains" in page.texts and f"{key}: walls" in page.texts
    assert "head-to-head" in page.texts


def test_results_without_these_tables_are_compared_too(results, tmp_path):
    shutil.copytree(results[0], tmp_path / "old")
    summary = json.loads((results[0] / "result.json").read_text())
    del summary["domains"], summary["wall_segments"]
    (tmp_path / "old" / "result.json").write_text(json.dumps(summary))
    page = Page(comparison_html(load_compared(tmp_path / "old"), load_compared(results[0])))
    assert "A: domains" not in page.texts and "B: domains" in page.texts


def test_a_run_is_read_in_its_artifacts_with_its_settings(results, tmp_path):
    shutil.copytree(results[0], tmp_path / "run" / "artifacts")
    (tmp_path / "run" / "run.json").write_text(json.dumps({"parameters": {"layout": "junction"}}))
    page = Page(comparison_html(load_compared(tmp_path / "run"), load_compared(results[0])))
    assert page.rows["run: layout"] == (["junction", "–", "≠"], "differs")
    assert page.rows["n_clusters"] == (["3", "3"], None)
    assert any("agree in 100.0%" in text for text in page.texts)


def test_names_from_files_are_text_and_nothing_else(results, tmp_path):
    nasty = "<script>alert(1)</script>&\"'"
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    shutil.copytree(results[0], folder)
    summary = json.loads((folder / "result.json").read_text())
    summary |= {
        "verdict": nasty,
        "reason": nasty,
        "versions": {nasty: nasty},
        "walls": {nasty: nasty},
    }
    summary["parameters"][nasty] = summary["input"]["path"] = nasty
    (folder / "result.json").write_text(json.dumps(summary))
    page = Page(comparison_html(load_compared(folder), load_compared(results[1])))
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert nasty in page.rows and str(folder) in page.texts


def cells(shape=(12, 15), spacing=20.0):
    i, j = np.indices(shape).reshape(2, -1)
    return pd.DataFrame(
        {
            "i": i,
            "j": j,
            "x_px": spacing * j,
            "y_px": spacing * i,
            "label": np.minimum(3 * j // shape[1], 2),
        }
    )


def test_neither_names_of_labels_nor_indices_nor_order_matter():
    one = cells()
    two = one.assign(
        label=one["label"].map({0: 2, 1: 0, 2: 1}),
        i=one["j"] + 5,
        j=one["i"] - 3,
        x_px=one["x_px"] + 4,
    )
    same = match_runs(one, two.sample(frac=1, random_state=0))
    assert same.agree == same.rand == 1 and same.n == len(one)
    assert (same.one == same.two).all()


def test_the_share_of_agreeing_cells():
    one = cells()
    two = one.assign(label=one["label"].where(one.index >= 18, 7).where(one["i"] < 11, -1))
    same = match_runs(one, two)
    assert same.n == 165 and same.agree == pytest.approx((165 - 18) / 165)
    assert same.two[0, 0] not in same.one


def test_a_missing_rim_does_not_hide_that_grids_coincide():
    one = cells()
    assert match_runs(one, one[one["i"] > 0]).agree == 1
    assert match_runs(one[one["i"] > 0], one).agree == 1


@pytest.mark.parametrize(
    "other",
    [
        cells(spacing=26.0),
        cells((6, 15)),
        cells().assign(x_px=lambda t: t["x_px"] + 8),
        cells().assign(label=-1),
        cells()[:1],
    ],
)
def test_other_crystals_are_not_compared_cell_by_cell(other):
    assert match_runs(cells(), other) is None


def test_results_of_other_images_say_so(results, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(results[0], folder)
    summary = json.loads((folder / "result.json").read_text())
    summary["input"]["sha256"] = "0" * 64
    (folder / "result.json").write_text(json.dumps(summary))
    table = pd.read_csv(folder / "cells.csv")
    table.assign(x_px=1.3 * table["x_px"]).to_csv(folder / "cells.csv", index=False)
    page = Page(comparison_html(load_compared(results[0]), load_compared(folder)))
    (words,) = [text for text in page.texts if "parameters differ" in text]
    assert "not the same file" in words and "cannot be compared" in words
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "[]"),
        ("run.json", '{"parameters": 3}'),
        ("result.json", {"walls": None}),
        ("result.json", {"versions": "x"}),
    ],
)
def test_parts_that_are_something_else_are_one_clear_line(results, tmp_path, name, content):
    shutil.copytree(results[0], tmp_path / "other")
    if isinstance(content, dict):
        content = json.dumps(json.loads((results[0] / name).read_text()) | content)
    (tmp_path / "other" / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}: is not"):
        load_compared(tmp_path / "other")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "contains no result; give the folder"),
        ("{", "not valid JSON"),
        ("[]", "is not a result"),
        ('{"verdict": "domains"}', "is not a result"),
        (
            '{"verdict": "", "reason": "", "parameters": {}, "input": {}, "rewards": {}}',
            "cells.csv: no table of cells",
        ),
    ],
)
def test_a_folder_that_is_no_result_is_one_clear_line(capsys, tmp_path, results, content, expected):
    folder = tmp_path / "folder"
    folder.mkdir()
    if content is not None:
        (folder / "result.json").write_text(content)
    line = refused(capsys, "compare", results[0], folder, "--out", tmp_path / "out")
    assert expected in line and str(folder) in line and not (tmp_path / "out").exists()


def test_cells_that_are_no_numbers_are_one_clear_line(results, tmp_path):
    shutil.copytree(results[0], tmp_path / "other")
    pd.DataFrame({"i": ["x"], "j": 0, "x_px": 0.0, "y_px": 0.0, "label": 0}).to_csv(
        tmp_path / "other" / "cells.csv"
    )
    with pytest.raises(InputError, match="no table of cells"):
        load_compared(tmp_path / "other")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        load_compared(tmp_path / "nothing")


def test_the_command_prints_where_the_page_is(capsys, results, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["compare", *map(str, results), "--out", str(tmp_path / "out")])
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "index.html")
