"""The report as a PDF, printed by a headless browser."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..compute import atomic, refuse_foreign
from ..errors import InputError
from ..results import check_run

PAGE = Path("html", "report", "09_report.html")
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pdf-header-footer",
)
_LONGEST = 120  # seconds


def find_browser() -> str:
    """Path of the browser that prints: Chromium, Chrome or Edge.

    Raises
    ------
    InputError
        If none is installed.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise InputError(
            "browser: printing requires Chromium, Chrome, or Edge, and none was found; install one"
            " (Debian and Ubuntu: apt install chromium; macOS: brew install --cask chromium), or"
            " print the page from your browser"
        )
    return found


def print_pdf(folder: str | Path, to: str | Path | None = None) -> Path:
    """Print the report of a run as PDF: A4, without navigation, every figure whole.

    Parameters
    ----------
    folder : str or Path
        Folder of a run of ``bfo run``.
    to : str or Path, optional
        File to write; by default ``report.pdf`` in that folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the folder holds no report or that of a newer version, no browser is found, or the file
        cannot be written.
    """
    page = Path(folder, PAGE).absolute()
    if not page.exists():
        raise InputError(
            f"{folder}: contains no report ({PAGE}); give the folder of a finished `bfo run`"
        )
    check_run(folder)
    if to is not None:
        refuse_foreign(
            [to],
            Path(to).is_file() and Path(to).read_bytes()[:5] in (b"%PDF-", b""),
            "give another name",
        )
    to = Path(to or Path(folder, "report.pdf"))
    program = find_browser()
    with atomic(to) as part:
        print_page(program, page, part)
    return to


def print_page(program: str, page: Path, to: Path) -> None:
    """Print a page with a browser that has a separate profile.

    Raises
    ------
    InputError
        If it does not.
    """
    # Chromium's sandbox refuses root
    root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            program,
            *_OPTIONS,
            *root,
            f"--user-data-dir={profile}",
            f"--print-to-pdf={to.absolute()}",
            page.as_uri(),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST)
        except subprocess.TimeoutExpired:
            raise InputError(
                f"{program}: did not print within {_LONGEST} s; print {page} from a browser window"
            ) from None
    if done.returncode or not to.exists():
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(
            f"{program}: could not print ({reason}); print {page} from a browser window"
        )
