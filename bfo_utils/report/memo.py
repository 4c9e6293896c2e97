"""A two-page memo that summarizes a result for a supervisor."""

import shlex
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ..compute import atomic, refuse_foreign
from ..results import UNDECIDED
from .export import Answer, domains_shown, figure_bytes, load_answer, paper_figure, walls_shown
from .pages import data_uri, fill_template
from .printing import find_browser, print_page

_FIGURES = {
    "domains": "Domains, colored by the direction of their polarization, with walls.",
    "polarization": (
        "Polarization of the cells; the color wheel gives the direction, and y points down."
    ),
    "strain": "Strain relative to the reference, and rotation of the cells.",
    "profiles": (
        "P along (∥) and across (⊥) the longest walls as a function of distance; bands show one"
        " standard error."
    ),
}
_WIDTH_MM = {"domains": 85.0, "polarization": 85.0, "strain": 150.0, "profiles": 110.0}
_DPI = 300
_MOST_WALLS = 12  # rows of the table on two pages
_BY_WINDOWS = (
    "normalized windows of {height} × {width} cells around the {site} sites, reduced to"
    " {n_components} principal components"
)
_BY_OTHERS = {
    "vae": "latent variables of a variational autoencoder",
    "physics": "measured quantities of the cells",
    "polar": "their polar displacement, averaged over neighbors",
    "strain": "their strain, averaged over neighbors",
    "order": "their ordered displacement, averaged over neighbors",
}
REFERENCES = (
    "K. Barakati et al., Reward driven workflows for unsupervised explainable analysis of phases"
    " and ferroic variants from atomically resolved imaging data, Advanced Materials 37, 2418927"
    " (2025).",
    "C.-L. Jia et al., Atomic-scale study of electric dipoles near charged and uncharged domain"
    " walls in ferroelectric films, Nature Materials 7, 57 (2008).",
    "F. Pedregosa et al., Scikit-learn: machine learning in Python, J. Mach. Learn. Res. 12, 2825"
    " (2011).",
)


def print_memo(result: str | Path, to: str | Path | None = None) -> Path:
    """Print a two-page memo as PDF.

    Parameters
    ----------
    result : str or Path
        Folder of ``bfo analyze`` or ``bfo run``, or its ``result.json``.
    to : str or Path, optional
        File to write; by default ``memo.pdf`` beside ``result.json``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        See :func:`bfo_utils.report.load_answer`; and if no browser is found, or the file is of
        other making or cannot be written.
    """
    answer = load_answer(result)
    to = Path(to or answer.path.with_name("memo.pdf"))
    ours = to.is_file() and to.read_bytes()[:5] in (b"%PDF-", b"")
    refuse_foreign([to], ours, "give another name")
    program, page = find_browser(), memo_html(answer)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, atomic(to) as part:
        Path(folder, "memo.html").write_text(page, encoding="utf-8")
        print_page(program, Path(folder, "memo.html"), part)
    return to


def memo_html(answer: Answer) -> str:
    """The memo as a page: title, verdict, map and field, tables, profile, confidence, methods, and
    the command that repeats the result.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    str
        HTML that needs no other file; no timings and no folders of this machine.
    """
    summary = answer.summary
    second = "polarization" if answer.grid.has_b else "strain"
    pictures = {name: _picture(answer, name) for name in ("domains", second)}
    walls = walls_shown(answer.walls, answer.units)
    if len(answer.walls) and answer.grid.has_b:
        pictures["profiles"] = _picture(answer, "profiles")
    return fill_template(
        "memo.html",
        image=answer.name,
        date=_date(answer),
        verdict=verdict_sentence(summary["verdict"], summary["reason"]),
        facts=_facts(answer),
        pictures=pictures,
        captions=_FIGURES,
        domains=domains_shown(answer.domains, answer.units),
        walls=walls.head(_MOST_WALLS),
        n_walls=len(walls),
        sure=_sure(answer),
        warnings=[warning["message"] for warning in summary["warnings"]],
        methods=methods_paragraph(answer),
        references=REFERENCES,
        command=_command(answer),
        sha256=summary["input"]["sha256"],
    )


def verdict_sentence(verdict: str, reason: str) -> str:
    """The verdict with its reason as one sentence.

    Examples
    --------
    >>> verdict_sentence("no domains", "nothing steps")
    'No domains: nothing steps.'
    """
    return f"{'Not decided' if verdict == UNDECIDED else verdict.capitalize()}: {reason}."


def _picture(answer: Answer, name: str) -> str:
    return data_uri(figure_bytes(paper_figure(answer, name, _WIDTH_MM[name]), "png", _DPI))


def _date(answer: Answer) -> str:
    """The day on which the result was written."""
    written = datetime.fromtimestamp(answer.path.stat().st_mtime, UTC)
    return f"{written.day} {written:%B %Y}"


def _facts(answer: Answer) -> str:
    """Field of view, cells and domains in one line."""
    summary, size = answer.summary, answer.summary["input"]["pixel_size_nm"]
    height, width = summary["input"]["shape"]
    field = f"{width} × {height} px"
    if size:
        field += f" ({width * size:.1f} × {height * size:.1f} nm, {size:.5g} nm per px)"
    return (
        f"{field}; {summary['n_analysed']:,} cells analyzed; {summary['n_domains']} connected"
        f" domain{'s' * (summary['n_domains'] != 1)}, {len(answer.walls)} wall segments"
    )


def _sure(answer: Answer) -> list[str]:
    """How sure the answer is, a sentence per number that there is."""
    summary = answer.summary
    said = [
        f"{finding['what']} (confidence {finding['confidence']:.2f})"
        for finding in summary["findings"]
        if finding.get("confidence") is not None
    ]
    for name, found in (summary["confidence"] or {}).items():
        said.append(
            f"the {name} of the labels is {found['mean']:.2f} on average; {found['unsure']:.0%} of"
            " the cells are uncertain"
        )
    said.append(
        f"the agreement of maps from two random halves of the cells is {summary['stability']:.2f}"
    )
    for repeat in summary["check"]:
        said.append(
            f"a search with another seed ({repeat['seed']}) gives the verdict: {repeat['verdict']}"
        )
    return [text[0].upper() + text[1:] + "." for text in said]


def methods_paragraph(answer: Answer) -> str:
    """Methods paragraph for a paper; numbers in brackets are references.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    str
    """
    summary, chosen = answer.summary, answer.summary["parameters"]
    said, plan = summary["convention"], (summary["provenance"] or {}).get("plan", {})
    described = _BY_OTHERS.get(chosen["descriptor"]) or _BY_WINDOWS.format(
        height=f"{chosen['window_height']:.3g}", width=f"{chosen['window_width']:.3g}", **chosen
    )
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    polar = (
        f" The polar displacement is the position of the {said['polar_displacement']} [2]; the"
        f" polarization points {'with' if said['polar_sign'] > 0 else 'against'} it."
    )
    agreement = (
        " and by agreement with the map of the test described below"
        if summary.get("chosen_by") == "agreement"
        else ""
    )
    rows = "corrected" if summary["scan"].get("corrected") else "not corrected"
    return (
        "Atomic columns were located and fitted with two-dimensional Gaussians and indexed on the"
        f" lattice; displaced scan rows were {rows}.{polar if answer.grid.has_b else ''} Strain"
        f' refers to the cell "{said["strain_reference"]}". Cells were described by {described} and'
        f" grouped into {chosen['n_clusters']} clusters ({chosen['method']}, [3]); the parameters"
        f" were chosen among {summary['budget']} configurations by a reward for physical"
        f" plausibility [1]{agreement}"
        f" (seed {plan.get('seed', summary['seed'])}). Maps made from one half of the pixels were"
        " tested on the other half. Errors are standard errors; wall widths are 2w of tanh(x/w)"
        f" fitted to the polarization. Software: {versions}."
    )


def _command(answer: Answer) -> str:
    """The command that makes the result again, without folders of this machine."""
    made = (answer.summary["provenance"] or {}).get("phantom")
    source = answer.summary["input"]["path"]
    image = ["--image", Path(source).name] if source and not made else []
    return shlex.join(["bfo", "rerun", "result.json", *image])
