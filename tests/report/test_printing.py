"""The report as a PDF: printed whole, refused in one line, and never half-written."""

import re
import shutil

import pytest

from bfo_utils.cli import main
from bfo_utils.errors import InputError
from bfo_utils.report import BROWSERS, PAGE, print_pdf, printing

HTML = "<!doctype html><title>t</title><h1>The answer</h1>" + "<p>text</p>" * 120


@pytest.fixture
def run(tmp_path):
    """A folder of a run with a report of two pages."""
    page = tmp_path / PAGE
    page.parent.mkdir(parents=True)
    page.write_text(HTML)
    (tmp_path / "report.pdf").write_bytes(b"an earlier one")
    return tmp_path


@pytest.fixture
def printer(monkeypatch, tmp_path):
    """Put a program of one's own in the place of the browser."""

    def put(script):
        program = tmp_path / "chromium"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(printing, "BROWSERS", (str(program),))

    return put


def test_a_report_is_printed(run):
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("no browser is installed (Debian: apt-get install chromium)")
    assert print_pdf(run, run / "answer.pdf") == run / "answer.pdf"
    printed = (run / "answer.pdf").read_bytes()
    width, height = map(float, re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed).groups())
    assert printed.startswith(b"%PDF") and len(re.findall(rb"/Type /Page\b", printed)) >= 2
    assert 590 < width < 615 and 785 < height < 850


def test_the_browser_is_asked_for_one_page_and_one_file(run, printer):
    printer('for a; do case $a in --print-to-pdf=*) printf "%s " "$@" > "${a#*=}";; esac; done')
    asked = print_pdf(run).read_text().split()
    assert asked[0] == "--headless" and asked[-1] == (run / PAGE).as_uri()


@pytest.mark.parametrize(
    ("script", "reason"), [("echo broken >&2; exit 3", "broken"), ("exit 0", "no message")]
)
def test_a_failed_print_leaves_the_earlier_file(run, printer, script, reason):
    printer(script)
    with pytest.raises(InputError, match=f"could not print .{reason}"):
        print_pdf(run)
    assert (run / "report.pdf").read_bytes() == b"an earlier one"
    assert not list(run.glob(".*"))


def test_a_browser_that_hangs_is_left(run, printer, monkeypatch):
    printer("exec sleep 30")
    monkeypatch.setattr(printing, "_LONGEST", 0.2)
    with pytest.raises(InputError, match="did not print within"):
        print_pdf(run)


@pytest.mark.parametrize(
    ("there", "message"), [(True, "apt install chromium"), (False, "contains no report")]
)
def test_what_is_missing_is_named_in_one_line(run, monkeypatch, capsys, there, message):
    monkeypatch.setattr(printing, "BROWSERS", ("no-such-browser",))
    with pytest.raises(SystemExit) as stop:
        main(["pdf", "--full", str(run if there else run / "elsewhere")])
    printed = capsys.readouterr()
    assert (
        stop.value.code == 2
        and message in printed.err
        and len(printed.err.splitlines()) == 1
        and not printed.out
    )
