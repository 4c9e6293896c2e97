"""The command line ``bfo``: every command imports what it uses when it is called, so that help is
there at once.
"""

import functools
import os
import runpy
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import reduce
from pathlib import Path

import click

from .compute import SAFE_PATH, open_closed_streams, refuse_foreign, writable_names
from .errors import InputError, as_input_error


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's error is one line on stderr and exit status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    open_closed_streams()
    os.environ.update(SAFE_PATH)  # of all processes that libraries start
    try:
        with writable_names():
            sys.exit(bfo.main(arguments, prog_name="bfo", standalone_mode=False) or 0)
    except (click.ClickException, InputError) as error:
        if "--debug" in arguments:
            traceback.print_exc()
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        line = " ".join(message.split())
        # names come from files
        click.echo(
            "bfo: " + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), err=True
        )
        sys.exit(2)
    except BrokenPipeError:  # who read the output, `head` say, has left
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  it stays open until the end
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("bfo: interrupted", err=True)
        sys.exit(130)


class _LazyChoice(click.Choice):
    """A choice whose values are asked for when it is used, so that help needs no libraries."""

    def __init__(self, values: Callable[[], Iterable[str]]):
        self.case_sensitive, self._values = True, values

    @property
    def choices(self):  # type: ignore[override]  # click sets it where it is made
        return tuple(self._values())


def _reference_kinds() -> tuple[str, ...]:
    """The kinds of reference field."""
    from .rewards import REFERENCE_KINDS

    return ("auto", *REFERENCE_KINDS)


def _scan_axes() -> tuple[str, ...]:
    """What the fast axis of a scan can be."""
    from .lattice import AXES

    return AXES


def _tilts() -> tuple[str, ...]:
    """What of a mistilt can be subtracted."""
    from .segmentation import TILTS

    return TILTS


def progress(budget: int):
    """A callback that draws a progress bar over trials on stderr, with the best total so far."""
    from tqdm import tqdm

    bars: list[tqdm] = []
    top = [0.0]

    def show(trial) -> None:
        if not bars:
            bars.append(tqdm(total=budget, desc="search", unit="trial", file=sys.stderr))
        top[0] = max(top[0], trial.rewards["total"])
        bars[0].set_postfix_str(f"best total {top[0]:.3f}", refresh=False)
        bars[0].update()
        if trial.number + 1 == budget:
            bars[0].close()

    return show


def run_plugin(path: str) -> None:
    """Run a user's Python file, which registers rewards.

    Raises
    ------
    InputError
        Whatever the file raises, in one line.
    """
    try:
        runpy.run_path(path)
    except Exception as error:
        raise as_input_error(path, error, "a Python file that registers rewards") from error


def folder(context, parameter, value: str | None) -> str | None:
    """An output folder: new, or a folder already; None where it is left to the command."""
    if value is not None and Path(value).exists() and not Path(value).is_dir():
        raise click.BadParameter(f"'{value}' is a file; give a folder", context, parameter)
    return value


def _comma_list(context, parameter, value: str | None) -> list[str]:
    """The words of a list with commas; none where it is left out."""
    return [word.strip() for word in value.split(",") if word.strip()] if value else []


def _millimeters(context, parameter, value: str) -> float:
    """A width in mm, with or without its unit."""
    try:
        return float(value.removesuffix("mm"))
    except ValueError:
        raise click.BadParameter(
            (f"'{value}' is not a width; give, for example, 85mm"), context, parameter
        ) from None


def _all_cores() -> int:
    from .compute import n_cores

    return n_cores()


_DEBUG = click.option("--debug", is_flag=True, help="Show the traceback of an error.")
_SEED = click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Seed of all random choices.",
)
_WORKERS = click.option(
    "--workers",
    type=click.IntRange(1),
    callback=lambda context, parameter, value: value or _all_cores(),
    help="Threads that share the work; with two or more, a process beside them prepares and judges"
    " the image.  [default: one per core]",
)
_SCAN_AXIS = (
    "Fast axis of the scan, for correcting displaced rows; auto: determined from the image, none:"
    " no correction."
)
_READING = (
    click.option(
        "--pixel-size",
        "pixel_size_nm",
        type=float,
        metavar="NM",
        help="Pixel size in nm; overrides that of the file.",
    ),
    click.option(
        "--lattice-nm",
        "lattice_nm",
        type=float,
        metavar="NM",
        help=(
            "Edge of the known (pseudo-cubic) cell of film or substrate in nm, 0.3905 for SrTiO3;"
            " sets the pixel size if the file has none."
        ),
    ),
    click.option("--dataset", metavar="NAME", help="Dataset to read from a file with several."),
    click.option(
        "--frames",
        default="",
        metavar="N|A:B|each",
        help=(
            "Frames of a stack to align and average, numbered from 0; each: analyze every frame"
            " separately.  [default: all]"
        ),
    ),
    click.option(
        "--contrast",
        type=click.Choice(["auto", "bright", "dark"]),
        default="auto",
        show_default=True,
        help="Whether columns are bright (HAADF) or dark (ABF, BF).",
    ),
    click.option(
        "--roi",
        default="",
        metavar="X0:X1,Y0:Y1",
        help="Analyze only the columns in this box, in px of the image.",
    ),
    click.option(
        "--mask",
        default="",
        metavar="FILE",
        help=(
            "Analyze only the columns in this area: an image of the same shape, or polygons"
            " (.json)."
        ),
    ),
    click.option(
        "--exclude",
        default="",
        metavar="FILE",
        help=("Exclude the columns in this area, in the same formats."),
    ),
    click.option(
        "--columns",
        default="",
        metavar="FILE",
        help="Take the columns from this file (csv, npy, atomap's hdf5) instead of detecting them.",
    ),
    click.option("--refine", is_flag=True, help="Fit the columns given by --columns."),
    click.option(
        "--second",
        default="",
        metavar="FILE|DATASET",
        help=(
            "Another channel of the same scan (ABF, iDPC) for fitting oxygen columns: a file, or a"
            " dataset of the same file."
        ),
    ),
    click.option(
        "--pair",
        default="",
        metavar="FILE",
        help=(
            "A second scan of the same area with the scan axes rotated by 90 degrees; drift is"
            " removed from both, and they are averaged."
        ),
    ),
    click.option(
        "--cell",
        default="",
        metavar="FILE",
        help=(
            "The cell of the crystal, if it is not found automatically: a CIF, or a json file with"
            " the vectors a and b in the image and the sites of A and B."
        ),
    ),
)
_SEARCH = (
    click.option(
        "--budget",
        type=click.IntRange(2),
        default=64,
        show_default=True,
        help="Number of configurations to evaluate.",
    ),
    click.option(
        "--set",
        "given",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a parameter instead of searching it.",
    ),
    click.option("--whole", is_flag=True, help="Also search the parameters of column detection."),
    click.option(
        "--goal",
        default="total",
        show_default=True,
        help="Maximize the total, or cover the Pareto front: pareto, nsga2 (genetic).",
    ),
    click.option(
        "--total",
        "exponents",
        multiple=True,
        metavar="REWARD=EXPONENT",
        help="Rewards of the total, instead of the default ones.",
    ),
    click.option(
        "--evidence",
        type=_LazyChoice(_reference_kinds),
        default="auto",
        show_default=True,
        help="Reference field for the evidence.",
    ),
    click.option(
        "--scan-axis",
        type=_LazyChoice(_scan_axes),
        default="auto",
        show_default=True,
        help=_SCAN_AXIS,
    ),
    click.option(
        "--vae",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help=(
            "Number of autoencoders to train and score with the same rewards (needs the extra vae)."
        ),
    ),
    _SEED,
)
_CHECKED = 2  # further searches of --check
_CONVENTION = (
    click.option(
        "--bright",
        type=click.Choice(["A", "B"]),
        default="A",
        show_default=True,
        help="The brighter of the two sublattices; the polar displacement is that of B.",
    ),
    click.option(
        "--polar-sign",
        "polar_sign",
        type=click.Choice(["+1", "-1"]),
        default="+1",
        show_default=True,
        callback=lambda context, parameter, value: int(value),
        help=(
            "Whether the polarization points with the displacement of B (BaTiO3) or against it"
            " (PbTiO3, BiFeO3)."
        ),
    ),
    click.option(
        "--born-charge",
        "born_charge",
        type=click.FloatRange(0, 20),
        default=0.0,
        metavar="Z",
        help=(
            "Magnitude of the Born effective charge of B, in e; gives the bound charge of walls in"
            " C/m2."
        ),
    ),
    click.option(
        "--strain-reference",
        "strain_reference",
        default="mean",
        show_default=True,
        metavar="CELL",
        help=(
            "Reference cell for the strain: mean, a region X0,Y0,X1,Y1 in px, or edges A,B in nm."
        ),
    ),
    click.option(
        "--tilt",
        type=_LazyChoice(_tilts),
        default="none",
        show_default=True,
        help=(
            "Apparent displacement due to mistilt to subtract: offset, the displacement common to"
            " all domains; smooth, the slow variation inside them. One image cannot distinguish a"
            " uniform tilt from a uniform polarization, and steps of tilt between blocks look like"
            " walls."
        ),
    ),
    click.option(
        "--check",
        is_flag=True,
        callback=lambda context, parameter, value: _CHECKED * value,
        help="Repeat the search with two other seeds, and report what changes.",
    ),
)


def _declared(options):
    """A decorator that gives a command several options, in this order."""
    return lambda command: reduce(lambda done, option: option(done), reversed(options), command)


_convention_options = _declared(_CONVENTION)  # how the field is read, whether it is checked
_search_options = _declared(_SEARCH)  # `_plan` takes them


def _reading_options(command):
    """How an image is read: options that become one argument, a `Reading`."""

    @functools.wraps(command)
    def read(**given):
        from .io import Reading

        reading = Reading(**{name: given.pop(name) for name in vars(Reading())})
        return command(**given, reading=reading)

    for option in reversed(_READING):
        read = option(read)
    return read


def _plugin_option(text: str):
    """The option for a file of rewards, with its help."""
    path = click.Path(exists=True, dir_okay=False)
    return click.option("--plugin", type=path, metavar="FILE.py", help=text)


def _plan(given, exponents, vae, strain_reference, **choices):
    """The plan of a search; ``given`` holds checked parameters."""
    from .lattice import reference_numbers
    from .rewards import parse_total
    from .search import SearchPlan
    from .vae import require_vae

    if vae:
        require_vae()
    reference_numbers(strain_reference)
    return SearchPlan(
        total=parse_total(exponents),
        fixed=given,
        autoencoders=vae,
        strain_reference=strain_reference,
        **choices,
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(package_name="bfo_utils")
@click.pass_context
def bfo(context) -> None:
    """Find phases and ferroic variants in atomically resolved images; a physics reward chooses the
    analysis.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@bfo.command("analyze")
@click.argument("image")
@click.option(
    "--out", required=True, metavar="DIR", callback=folder, help="Folder for the results."
)
@_search_options
@_convention_options
@_plugin_option("Your Python file that registers rewards; it is executed.")
@_WORKERS
@_reading_options
@_DEBUG
def analyze_command(image, out, plugin, workers, reading, debug, **search) -> None:
    """Analyze IMAGE without notebooks and write tables, result.json, and pictures to DIR.

    Every trial is recorded in DIR/trials.jsonl as it ends; after an interruption, the same command
    continues from there.
    """
    alone = reading.frames == "each"  # whole images share the threads, then
    # at once, for it takes as long to start as an image to read
    with _aside(1 if alone else workers) as beside:
        _analyze_file(image, out, plugin, workers, reading, search, beside)


def _aside(workers):
    """A process beside this one, if more than one may work."""
    from .compute import Beside

    return Beside(["bfo_utils.search.preparation"]) if workers > 1 else nullcontext()


def _analyze_file(image, out, plugin, workers, reading, search, beside) -> None:
    """Analyze the image of a file, or every frame of a stack."""
    from .search import parse_parameters

    search["given"] = parse_parameters(search["given"])
    from .io import read_image

    if reading.frames == "each":
        if plugin:
            raise click.UsageError(
                "--frames each: cannot be combined with --plugin; omit one of them"
            )
        return _analyze_frames(image, out, _plan(**search), reading, workers)
    if plugin:
        run_plugin(plugin)
    plan, picture = _plan(**search), read_image(image, **vars(reading))

    def provenance():
        from .results import Provenance, plugin_of

        return Provenance(plan, reading, plugin=plugin_of(plugin), files=reading.files)

    _analyzed(picture, plan, provenance, out, workers, beside)


def _analyze_frames(image, out, plan, reading, workers) -> None:
    """Analyze every frame of a stack by itself."""
    from .report import SUMMARY_FILE, BatchSettings, analyze_frames

    table = analyze_frames(image, out, BatchSettings(plan, reading), workers)
    failed = table["error"].notna().sum()
    click.echo(f"{len(table)} frames: {len(table) - failed} analyzed, {failed} with an error")
    click.echo(Path(out, SUMMARY_FILE))


def _prepared(picture, plan, threads):
    """An image prepared as a plan says."""
    from .compute import use_threads
    from .search import prepare_image

    with use_threads(threads):
        return prepare_image(picture, **plan.preparation)


def _analyzed(picture, plan, provenance, out, workers, beside) -> None:
    """Analyze an image, write the files with the provenance that is asked for, and say what came
    out.
    """
    ready = beside.submit(_prepared, picture, plan, workers) if beside else None
    from .compute import locked_folder, sweep  # meanwhile: libraries take seconds
    from .report import check_folder, write_results
    from .results import analyze, describe_repeats
    from .search import n_halving_trials

    check_folder(out)
    bar = progress(plan.budget + n_halving_trials(plan.autoencoders))
    with locked_folder(out):
        sweep(Path(out, "networks"))
        done = analyze(picture, plan, bar, Path(out, "trials.jsonl"), workers, beside, ready)
        result = write_results(done, out, provenance(), beside=beside)
    for warning in result["warnings"]:
        click.echo(f"warning: {warning['message']}", err=True)
    click.echo(f"{result['verdict']}: {result['reason']}")
    if done.repeats:
        click.echo(f"check: {describe_repeats(done.verdict, done.repeats)}")
    click.echo(Path(out) / "result.json")


@bfo.command()
@click.argument("result", metavar="RESULT.json")
@click.option(
    "--out",
    metavar="DIR",
    callback=folder,
    help="Folder for the new results.  [default: next to the old one, with -rerun]",
)
@click.option("--image", metavar="FILE", help="Path of the image, if it was moved.")
@_plugin_option("The file of rewards used for the result; it is executed.")
@_WORKERS
@_DEBUG
def rerun(result, out, image, plugin, workers, debug) -> int:
    """Repeat the analysis of RESULT.json, or of a folder that contains one, with the same image
    (verified by its hash), options, and seed.

    Works for analyze, batch, and the artifacts of run, whose phantom is simulated again. The exit
    status is 1 if a table differs from the one beside RESULT.json, apart from wall times.
    """
    from .report import package_versions
    from .results import changed_versions, check_plugin, compare_tables, read_result, result_image
    from .vae import require_vae

    before = read_result(result)
    home = before.path.absolute().parent
    out = Path(out) if out else home.with_name(f"{home.name}-rerun")
    if out.resolve() == home.resolve():
        raise InputError(f"--out: {out} is the folder of the result itself; give another")
    check_plugin(before, plugin)
    if before.provenance.plan.autoencoders:
        require_vae()
    picture = result_image(before, image)
    if plugin:
        run_plugin(plugin)
    differ = changed_versions(before.versions, package_versions())
    if differ:
        click.echo(f"warning: versions have changed, so numbers may differ: {differ}", err=True)
    plan = before.provenance.plan
    with _aside(workers) as beside:
        _analyzed(picture, plan, lambda: before.provenance, out, workers, beside)
    tables = dict(compare_tables(home, out))
    if not tables:
        click.echo(f"warning: there are no tables beside {before.path} to compare with", err=True)
    for name, same in tables.items():
        click.echo(f"{name}: {'identical' if same else 'DIFFERS'}")
    return int(not all(tables.values()))


@bfo.command()
@click.argument("image", nargs=-1, required=True)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    callback=folder,
    help="Folder for summary.csv and one folder per image.",
)
@_search_options
@_convention_options
@click.option(
    "--workers",
    type=click.IntRange(1),
    help=("Number of processes on this machine.  [default: one per core]"),
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Use the Dask cluster of this scheduler, such as tcp://10.0.0.1:8786.",
)
@_reading_options
@_DEBUG
def batch(image, out, workers, scheduler, reading, debug, **search) -> None:
    """Analyze every IMAGE (files, or folders of them). Each gets a row in DIR/summary.csv and a
    folder with the files of analyze.

    Images already analyzed in DIR are skipped, so the same command continues an interrupted batch.
    For an image that cannot be analyzed, the row contains the error.
    """
    from .search import parse_parameters

    search["given"] = parse_parameters(search["given"])
    if workers and scheduler:
        raise click.UsageError(
            "--workers: a cluster has its own workers; omit --workers or --scheduler"
        )
    from tqdm import tqdm

    from .compute import connect_pool, n_cores
    from .report import SUMMARY_FILE, BatchSettings, find_images, run_batch

    settings = BatchSettings(_plan(**search), reading.absolute)
    names = find_images(image)
    with (
        connect_pool(workers or n_cores(), scheduler) as pool,
        tqdm(total=len(names), desc="batch", unit="image", file=sys.stderr, disable=None) as bar,
    ):
        table = run_batch(names, out, pool, settings, lambda table: bar.update(len(table) - bar.n))
    failed = table["error"].notna()
    if failed.all():
        raise InputError(
            f"{Path(out, SUMMARY_FILE)}: no image could be analyzed; its column 'error' gives the"
            " reasons"
        )
    click.echo(f"{len(table)} images: {(~failed).sum()} analyzed, {failed.sum()} with an error")
    click.echo(Path(out, SUMMARY_FILE))


@bfo.command()
@click.argument("image", required=False)
@click.option(
    "--out",
    required=True,
    metavar="DIR",
    callback=folder,
    help="Folder for notebooks, artifacts, and the book.",
)
@click.option(
    "--profile",
    type=click.Choice(["quick", "full"]),
    default="quick",
    show_default=True,
    help="Evaluate 64 configurations and train 4 autoencoders (quick), or 256 and 36 (full).",
)
@click.option(
    "-p",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a parameter (see `bfo parameters`).",
)
@click.option("--resume", is_flag=True, help="Continue an earlier run with the same settings.")
@_convention_options
@click.option(
    "--scan-axis", type=_LazyChoice(_scan_axes), default="auto", show_default=True, help=_SCAN_AXIS
)
@_reading_options
@_SEED
@_DEBUG
def run(
    image,
    out,
    profile,
    given,
    resume,
    scan_axis,
    reading,
    seed,
    debug,
    **convention,
) -> None:
    """Run the notebooks on IMAGE (by default, on a phantom) and render the book to
    DIR/html/index.html.
    """
    from .search import RUN_PARAMETERS, check_parameters, parameter, parse_parameters

    asked = {
        name: value
        for name, value in convention.items()
        if value != parameter(name, RUN_PARAMETERS).default
    }
    values = parse_parameters(given, run=True) | check_parameters(asked, RUN_PARAMETERS)
    from .book import run_book

    click.echo(run_book(image, out, profile, values, reading, seed, resume, scan_axis))


@bfo.command()
@click.argument("image")
@click.option(
    "--out", required=True, metavar="DIR", callback=folder, help="Folder for the table and picture."
)
@click.option(
    "--bright",
    type=click.Choice(["A", "B"]),
    default="A",
    show_default=True,
    help="The brighter of the two sublattices.",
)
@_reading_options
@_DEBUG
def columns(image, out, bright, reading, debug) -> None:
    """Find the columns of IMAGE so that you can check and correct them: DIR/columns.csv, and
    DIR/columns.png with every column over the image and doubtful areas enlarged.

    Delete, add, or move rows of the table, and pass it to `analyze --columns`.
    """
    from .io import read_image
    from .report import write_columns

    for path in write_columns(read_image(image, **vars(reading)), out, bright):
        click.echo(path)


@bfo.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_DEBUG
def info(file, as_json, debug) -> None:
    """Print the contents of FILE (images, shapes, types, pixel sizes, detectors, frames) and the
    image to be analyzed.
    """
    import json

    from .report import as_text, describe_file

    told = describe_file(file)
    click.echo(json.dumps(told, indent=2) if as_json else as_text(told))


@bfo.command()
@click.argument("one", metavar="A")
@click.argument("two", metavar="B")
@click.option(
    "--out",
    default="comparison",
    show_default=True,
    metavar="DIR",
    callback=folder,
    help="Folder for the page.",
)
@_DEBUG
def compare(one, two, out, debug) -> None:
    """Compare the results in the folders A and B, of `run` or `analyze`, on one page:
    DIR/index.html.

    The page shows parameters, rewards, maps, timings, and input side by side. It is one file and
    works offline.
    """
    from .report import write_comparison

    click.echo(write_comparison(one, two, out))


@bfo.command()
@click.argument("result", metavar="RESULT")
@click.option(
    "--to",
    "formats",
    required=True,
    metavar="FORMAT,...",
    callback=_comma_list,
    help="hspy (HyperSpy), xyz (Å, y up), csv (with units and meanings in the header).",
)
@click.option(
    "--out", metavar="DIR", callback=folder, help="Folder of the files.  [default: RESULT/export]"
)
@_DEBUG
def export(result, formats, out, debug) -> None:
    """Write positions and fields of RESULT, a folder of `analyze` or `run` or its result.json, for
    other tools.

    Files are named after the image. The README.txt of RESULT describes its own tables.
    """
    from .report import export_answer, load_answer

    answer = load_answer(result)
    for path in export_answer(answer, formats, out or answer.path.parent / "export"):
        click.echo(path)


@bfo.command()
@click.argument("result", metavar="RESULT")
@click.option(
    "--format",
    "formats",
    default="pdf",
    show_default=True,
    metavar="svg,pdf,png",
    callback=_comma_list,
    help="Kinds of files.",
)
@click.option(
    "--dpi", type=int, default=600, show_default=True, help="Resolution of PNG and of images."
)
@click.option(
    "--width",
    "width_mm",
    default="85mm",
    show_default=True,
    metavar="NNmm",
    callback=_millimeters,
    help="Width on the page.",
)
@click.option(
    "--only",
    metavar="NAME,...",
    callback=_comma_list,
    help=(
        "Some of overview, domains, polarization, walls, profiles, strain, derivatives, histograms,"
        " roses.  [default: all available]"
    ),
)
@click.option(
    "--out", metavar="DIR", callback=folder, help="Folder of the files.  [default: RESULT/figures]"
)
@_DEBUG
def figures(result, formats, dpi, width_mm, only, out, debug) -> None:
    """Draw figures for a paper from RESULT, a folder of `analyze` or `run` or its result.json.

    Text remains text, and fonts are embedded. Figures have scale bars, keys, and panel labels.
    """
    from .report import load_answer, write_figures

    answer = load_answer(result)
    out = out or answer.path.parent / "figures"
    for path in write_figures(answer, out, formats, dpi, width_mm, only):
        click.echo(path)


@bfo.command()
@click.argument("result", metavar="RESULT")
@click.option("--full", is_flag=True, help="The long report of a run instead of the memo.")
@click.option(
    "--out",
    metavar="FILE.pdf",
    help="File to write.  [default: memo.pdf beside result.json; with --full DIR/report.pdf]",
)
@_DEBUG
def pdf(result, full, out, debug) -> None:
    """Print a two-page memo on RESULT, a folder of `analyze` or `run` or its result.json: verdict,
    map, polarization, tables of domains and walls, profiles, methods. Needs Chromium, Chrome, or
    Edge.
    """
    from .report import print_memo, print_pdf

    click.echo(print_pdf(result, out) if full else print_memo(result, out))


@bfo.command()
@click.option("--out", required=True, metavar="FILE.h5", help="File to write.")
@click.option(
    "--layout",
    default="junction",
    show_default=True,
    metavar="NAME",
    help="Arrangement of the variants.",
)
@click.option(
    "--cells",
    type=click.IntRange(8, 1000),
    default=60,
    show_default=True,
    help="Number of unit cells along each side.",
)
@click.option(
    "--dose", type=float, default=30.0, show_default=True, help="Counts at the peak of an A column."
)
@click.option(
    "--cell-px",
    type=click.FloatRange(6, 80),
    default=26.0,
    show_default=True,
    help="Pixels per unit cell.",
)
@_SEED
@_DEBUG
def phantom(out, layout, cells, dose, cell_px, seed, debug) -> None:
    """Simulate an image with its ground truth and write it to FILE.h5."""
    from .simulation import Specimen, load_truth, save_phantom, simulate_phantom

    if Path(out).suffix.lower() not in (".h5", ".hdf5"):
        raise InputError(f"{out}: a phantom is written as HDF5; give a name ending in .h5")
    refuse_foreign([out], Path(out).is_file() and load_truth(out) is not None, "give another name")
    specimen = Specimen(layout=layout, cells=cells, dose=dose, cell_px=cell_px)
    save_phantom(simulate_phantom(specimen, seed), out)
    click.echo(out)


@bfo.command()
@click.argument("what", metavar="smbfo|example", type=click.Choice(["smbfo", "example"]))
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--dir",
    "where",
    metavar="D",
    help="Folder of the files; default: $BFO_DATA_DIR, else the user's cache.",
)
@click.option(
    "--unpickle",
    is_flag=True,
    help=(
        "Fetch record 4876786 instead, the series as ONE PICKLED FILE (2.1 GB), and unpack it to"
        " .npz files. DANGEROUS: reading a pickle can execute any code that its author, or anyone"
        " who replaced the file, put into it, with your permissions. It is read only if its MD5 sum"
        " is that of the record and it contains nothing but arrays. You rarely need it: the pairs"
        " contain the same data."
    ),
)
@_DEBUG
def fetch(what, ids, where, unpickle, debug) -> None:
    """Download and verify real images: `smbfo`, the pairs ID... of Sm-doped BiFeO3, or all 14;
    `example`, the small images ID...: BaTiO3, DyScO3.

    The command first prints size, license, and citation. Complete files are not downloaded again;
    partial downloads are continued.
    """
    from .compute import require_extra

    require_extra("bfo fetch", "data", "pooch", "requests")
    if what == "example":
        _fetch_examples(ids, where, unpickle)
        return
    from .smbfo import fetch_dictionary, fetch_series, read_trusted_pickle, unpack_series

    if not unpickle:
        for paths in fetch_series(ids, where).values():
            click.echo("\n".join(map(str, paths)))
        return
    if ids:
        raise InputError(f"--unpickle: the file contains the whole series; omit {' '.join(ids)}")
    path, checksum = fetch_dictionary(where)
    for unpacked in unpack_series(
        read_trusted_pickle(path, checksum, trust=True), path.with_suffix("")
    ):
        click.echo(unpacked)


def _fetch_examples(names, where, unpickle) -> None:
    """Download the small real images."""
    from .book import EXAMPLES, fetch_example

    if unpickle:
        raise InputError("--unpickle: applies only to smbfo; omit it")
    if not names:
        raise InputError(
            f"fetch example: no example named; give some of {', '.join(sorted(EXAMPLES))}"
        )
    for name in names:
        click.echo(fetch_example(name, where))


@bfo.command()
@_DEBUG
def doctor(debug) -> None:
    """Check in a few seconds whether this machine is ready for the book and for a workshop.

    Each line states what was found, and what to do if something is missing. The exit status is 1 if
    the notebooks cannot run.
    """
    from .book import examine

    found = examine()
    for finding in found:
        sign = {"ok": "ok     ", "wanting": "without", "missing": "MISSING"}[finding.state]
        click.echo(f"{sign}  {finding.what:13} {finding.said}")
    ready = all(
        f.state != "missing" and (f.what, f.state) != ("notebooks", "wanting") for f in found
    )
    click.echo("ready" if ready else "not ready: see above")
    if not ready:
        raise SystemExit(1)


@bfo.command()
@click.argument("folder", metavar="DIR", callback=folder)
@click.option(
    "--from",
    "run",
    metavar="RUN",
    type=click.Path(exists=True, file_okay=False),
    help=(
        "Folder of a finished `bfo run`; participants get its results and can start with any"
        " notebook."
    ),
)
@_DEBUG
def workshop(folder, run, debug) -> None:
    """Write a handout to DIR: the notebooks without solutions, a page for participants, slides.html
    for you, and solutions.md, which you remove before you give the folder to participants.

    DIR must be new or empty, or an unchanged handout written by this command.
    """
    from .book import lay_out

    click.echo(lay_out(folder, run))


@bfo.command("parameters")
def list_parameters() -> None:
    """List the parameters: `--set` accepts those of the workflow, `-p` also those of the run."""
    from .search import PARAMETERS, RUN_PARAMETERS

    for p in PARAMETERS + RUN_PARAMETERS:
        click.echo(f"{p.name:18} {p.stage:12} {p.help} ({p.range}; default {p.default})")
