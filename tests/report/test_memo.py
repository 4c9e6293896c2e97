import re
import shutil
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from bfo_utils.report import BROWSERS, domains_shown, memo_html, print_memo, printing

from ..test_cli import refused


@pytest.fixture(scope="module")
def page(loaded):
    return BeautifulSoup(memo_html(loaded), "html.parser")


def test_the_memo_says_what_the_tables_say(page, loaded):
    text = page.get_text(" ", strip=True)
    assert page.h1.text == loaded.name
    assert page.select_one(".verdict").text == f"Domains: {loaded.summary['reason']}."
    domains, walls = page.find_all("table")
    shown = domains_shown(loaded.domains, loaded.units)
    rows = [[c.text for c in row.find_all(["th", "td"])] for row in domains.tbody.find_all("tr")]
    assert rows == [[name, *values] for name, values in zip(shown.index, shown.to_numpy().tolist())]
    assert len(walls.tbody.find_all("tr")) == len(loaded.walls)
    assert len(page.find_all("img")) == 3 and all(i["src"][:5] == "data:" for i in page("img"))
    assert f"bfo_utils {loaded.summary['versions']['bfo_utils']}" in text and "[1]" in text


def test_it_holds_no_timings_and_no_folders(page, loaded):
    text = page.get_text(" ")
    assert "bfo rerun result.json" in text and str(loaded.path.parent) not in text
    assert "timing" not in text and not re.search(r"\d s\b", text)
    given = {**loaded.summary["input"], "path": "/home/me/scan 1.dm4"}
    moved = replace(loaded, summary={**loaded.summary, "input": given})
    told = memo_html(moved)
    assert "bfo rerun result.json --image &#39;scan 1.dm4&#39;" in told and "/home/me" not in told


def test_it_says_where_there_is_no_second_sublattice_or_no_wall(loaded):
    summary = {**loaded.summary, "sublattices": ["A"], "verdict": "undecided", "reason": "so"}
    other = replace(loaded, summary=summary, walls=loaded.walls[:0], profiles=loaded.profiles[:0])
    text = BeautifulSoup(memo_html(other), "html.parser").get_text(" ", strip=True)
    assert "Not decided: so." in text and "There are no walls." in text
    assert "Strain relative to the reference" in text and "polarization points" not in text


def test_it_is_printed_on_two_pages(stored, tmp_path):
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("no browser is installed (Debian: apt-get install chromium)")
    printed = print_memo(stored, tmp_path / "memo.pdf").read_bytes()
    assert printed.startswith(b"%PDF") and len(re.findall(rb"/Type /Page\b", printed)) == 2


def test_files_of_the_users_stay(stored, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(printing, "find_browser", lambda: "none")
    (tmp_path / "memo.pdf").write_text("mine\n")
    line = refused(capsys, "pdf", stored, "--out", tmp_path / "memo.pdf")
    assert "memo.pdf: already exists" in line
    assert (tmp_path / "memo.pdf").read_text() == "mine\n"
    assert "no such file or folder" in refused(capsys, "pdf", tmp_path / "none")
