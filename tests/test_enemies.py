"""Inputs as enemies: damaged and lying files, code in data, names that are paths or pages,
parameters that are programs.
"""

import ast
import collections
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bfo_utils.book import Artifacts, BookStep, Labels, execute_step
from bfo_utils.book.build import _finished, _literal
from bfo_utils.book.workshop import _replaceable
from bfo_utils.cli import main
from bfo_utils.compute import resource_path
from bfo_utils.errors import InputError
from bfo_utils.io import READERS, images, load_arrays, read_image, save_arrays
from bfo_utils.report import BatchJob, load_compared
from bfo_utils.report.batch import _assign, _row_of_before
from bfo_utils.results import read_result
from bfo_utils.search import PARAMETERS, RUN_PARAMETERS, TrialLog
from bfo_utils.simulation import load_truth

from .fuzzing import READ, REFUSED, Worker
from .io.test_images import RAMP
from .record import record
from .seeds import HARMLESS, LIES, SEEDS, damaged, header

PACKAGE = sorted(Path(images.__file__).parents[1].rglob("*.py"))
VARIANTS = int(os.environ.get("BFO_FUZZ", 40))  # of every format
posix = pytest.mark.skipif(os.name != "posix", reason="limits of memory are POSIX's")


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """The process that reads enemies' files."""
    with Worker(tmp_path_factory.mktemp("worker") / "stderr") as running:
        yield running


# Damaged files, and files that lie


@posix
@pytest.mark.parametrize("name", SEEDS)
def test_damaged_files_are_read_or_refused(worker, tmp_path, name):
    seed, case = tmp_path / f"case.{name}", tmp_path / f"damaged.{name}"
    SEEDS[name](seed)
    whole, rng = seed.read_bytes(), np.random.default_rng([*name.encode()])
    assert worker.read(seed) == READ
    ends, failures = collections.Counter(), []
    for number in range(VARIANTS):
        case.write_bytes(damaged(whole, rng))
        if name == "rpl":
            case.with_suffix(".raw").write_bytes(seed.with_suffix(".raw").read_bytes())
        end = worker.read(case)
        ends[end] += 1
        if end not in (READ, REFUSED):
            failures.append((number, end))
    record(
        "fuzz",
        format=name,
        inputs=VARIANTS,
        read=ends[READ],
        refused=ends[REFUSED],
        failures=len(failures),
    )
    assert not failures


@posix
@pytest.mark.parametrize(
    ("suffix", "lie"), [(suffix, lie) for suffix, lies in LIES.items() for lie in lies]
)
def test_lying_files_are_refused(worker, tmp_path, suffix, lie):
    path = tmp_path / f"liar.{suffix}"
    LIES[suffix][lie](path)
    end = worker.read(path)
    record(
        "fuzz",
        format=f"{suffix}, lies",
        inputs=1,
        read=0,
        refused=int(end == REFUSED),
        failures=int(end != REFUSED),
    )
    assert end == REFUSED


@posix
@pytest.mark.parametrize(
    ("suffix", "lie"), [(suffix, lie) for suffix, lies in HARMLESS.items() for lie in lies]
)
def test_lies_that_do_no_harm_may_be_read(worker, tmp_path, suffix, lie):
    path = tmp_path / f"liar.{suffix}"
    HARMLESS[suffix][lie](path)
    assert worker.read(path) in (READ, REFUSED)


@posix
def test_the_worker_tells_what_is_wrong(worker, tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", RAMP)
    assert worker.read(tmp_path / "a.npy") == READ
    monkeypatch.setattr("tests.fuzzing.PATIENCE", 0.1)
    os.kill(worker._process.pid, signal.SIGSTOP)
    assert "hangs" in worker.read(tmp_path / "a.npy")
    monkeypatch.undo()
    assert worker.read(tmp_path / "missing.npy") == REFUSED


def test_memory_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", RAMP)
    monkeypatch.setattr(images, "file_sha256", lambda path: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(
        InputError, match="a.npy: needs more memory than there is; give a smaller one"
    ):
        read_image(tmp_path / "a.npy")


def test_an_honest_file_that_shrinks_well_is_read(tmp_path):
    array = np.zeros((3000, 3000), np.float32)
    array[::7] = 1
    np.savez_compressed(tmp_path / "a.npz", array)
    assert read_image(tmp_path / "a.npz").shape == (3000, 3000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", data=array, chunks=(3000, 3000), compression="gzip")
    assert read_image(tmp_path / "a.h5").shape == (3000, 3000)


def test_a_velox_file_is_read(tmp_path):
    SEEDS["velox.emd"](tmp_path / "a.emd")
    image = read_image(tmp_path / "a.emd")
    np.testing.assert_array_equal(image.data, RAMP)
    assert image.pixel_size_nm == pytest.approx(0.02)


def test_a_picture_is_one_by_its_content(tmp_path):
    np.savez(tmp_path / "a.npz", RAMP)
    (tmp_path / "a.npz").rename(tmp_path / "a.png")
    with pytest.raises(InputError, match="a.png: not readable"):
        read_image(tmp_path / "a.png")


# What commands read back

_TEXT = st.text(max_size=9)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | _TEXT
    | st.sampled_from(["path", "key", "finished"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            _TEXT
            | st.sampled_from(
                [
                    "path",
                    "sha256",
                    "settings",
                    "key",
                    "rewards",
                    "seconds",
                    "finished",
                    "number",
                    "plan",
                    "recipe",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
)
_FILES = (
    st.binary(max_size=60)
    | _JSON.map(lambda content: json.dumps(content).encode())
    | st.just(b"[" * 100_000)
)
fuzzed = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def ends_well(call):
    """Whether a call returns, or raises one line."""
    try:
        call()
    except InputError as error:
        assert "\n" not in str(error)
    return True


@fuzzed
@given(_FILES)
def test_records_of_runs_are_used_or_refused(tmp_path, content):
    for name in (
        "run.json",
        "search.json",
        "tuned.json",
        "provenance.json",
        "default/rewards.json",
        "trials.jsonl",
        "one/batch.json",
        "one/result.json",
        "one/run.json",
        "one/cells.csv",
        "one/workshop.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert ends_well(lambda: _finished(tmp_path, {"seed": 1}))
    assert ends_well(lambda: Artifacts(tmp_path).trials())
    assert ends_well(lambda: Artifacts(tmp_path).tuned())
    assert ends_well(lambda: Artifacts(tmp_path).rewards())
    assert ends_well(lambda: Artifacts(tmp_path).provenance())
    assert ends_well(lambda: read_result(tmp_path / "one"))
    assert ends_well(lambda: load_compared(tmp_path / "one"))
    assert ends_well(lambda: _replaceable(tmp_path / "one"))
    assert ends_well(lambda: TrialLog(tmp_path / "trials.jsonl", {}))
    assert ends_well(lambda: _assign(["a.tif"], tmp_path, {}))
    assert ends_well(lambda: _row_of_before(BatchJob("a", "a", tmp_path / "one")))


@fuzzed
@given(_JSON)
def test_a_finished_run_is_one_with_the_same_settings(tmp_path, finished):
    (tmp_path / "run.json").write_text(json.dumps({"seed": 1, "finished": finished}))
    assert _finished(tmp_path, {"seed": 1}) <= set(
        map(str, finished if isinstance(finished, list) else [])
    )


@fuzzed
@given(st.lists(_JSON, max_size=4))
def test_lines_that_are_no_trials_count_as_torn(tmp_path, lines):
    path = tmp_path / "l.jsonl"
    path.unlink(missing_ok=True)
    TrialLog(path, {}).put({"a": 1}, {"total": 0.5}, 1.0)
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    trial_log = TrialLog(path, {})
    trial_log.put({"a": 2}, {"total": 0.25}, 1.0)
    again = TrialLog(path, {})
    assert again.get({"a": 1}) == ({"total": 0.5}, 1.0) and again.get({"a": 2}) == (
        {"total": 0.25},
        1.0,
    )


def test_damaged_artifacts_are_one_line(tmp_path):
    path, rng = tmp_path / "labels.npz", np.random.default_rng(5)
    save_arrays(path, Labels(np.arange(400).reshape(20, 20)))
    whole, ends = path.read_bytes(), collections.Counter()
    for _ in range(10 * VARIANTS):
        path.write_bytes(damaged(whole, rng))
        try:
            load_arrays(path, Labels)
            ends[READ] += 1
        except InputError as error:
            assert "\n" not in str(error)
            ends[REFUSED] += 1
    record(
        "fuzz",
        format="artifacts",
        inputs=10 * VARIANTS,
        read=ends[READ],
        refused=ends[REFUSED],
        failures=0,
    )
    assert ends[READ] and ends[REFUSED]


def test_artifacts_that_lie_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "labels.npz", "w") as file:
        file.writestr("__plain__.npy", header((10**6, 10**6)))
    with pytest.raises(InputError, match="not a stored Labels"):
        load_arrays(tmp_path / "labels.npz", Labels)


def test_a_group_called_truth_is_not_always_ours(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"], file["truth/mine"] = RAMP, 1
    assert load_truth(tmp_path / "a.h5") is None


# Code in data


def calls():
    """Every call in the package: module, the function's name as it is written, the call."""
    for path in PACKAGE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path.stem, ast.unparse(node.func), node


def option(call, name):
    """Value of a keyword of a call as it is written, None where it is not given."""
    return next((ast.unparse(word.value) for word in call.keywords if word.arg == name), None)


def test_nothing_is_unpickled_but_in_one_place():
    found = collections.defaultdict(set)
    for module, name, call in calls():
        if name.endswith(("np.load", "numpy.load")):
            assert option(call, "allow_pickle") == "False", module
        if name.endswith("torch.load"):
            assert option(call, "weights_only") == "True", module
        loader = name in ("joblib.load", "pd.read_pickle", "read_pickle")
        if loader or name.split(".")[0] in ("pickle", "cloudpickle", "dill", "shelve", "marshal"):
            found[module].add(name)
        assert (
            option(call, "allow_pickle") in (None, "False")
            and option(call, "allow_restricted_pickle") is None
        ), module
    assert not found
    users = {
        path.stem
        for path in PACKAGE
        if any(
            "pickle" in line for line in path.read_text().split("\n") if line.startswith("import")
        )
    }
    assert users == {"pickles", "fingerprint"}  # the second writes to a hash and reads nothing


def test_no_shell_and_no_code_from_text():
    programs = {}
    for module, name, call in calls():
        assert option(call, "shell") is None, module
        assert name not in (
            "os.system",
            "os.popen",
            "eval",
            "exec",
            "compile",
            "__import__",
        ), module
        assert not name.startswith(("subprocess.getoutput", "os.spawn", "os.exec", "commands.")), (
            module
        )
        if name.startswith(("subprocess.", "runpy.")):
            programs.setdefault(module, set()).add(name)
    assert programs == {
        "build": {"subprocess.run"},
        "doctor": {"subprocess.run"},  # a kernel that answers
        "printing": {"subprocess.run"},  # the book tool; the browser that prints
        "cli": {"runpy.run_path"},
    }  # the user's own plugin


def test_yaml_is_loaded_safely():
    modules = [
        *PACKAGE,
        *sorted(Path(__file__).parent.rglob("*.py")),
        *sorted(Path(__file__).parents[1].glob("benchmarks/*.py")),
    ]
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("yaml."):
                assert ast.unparse(node.func) in ("yaml.safe_load", "yaml.safe_dump"), path


class Trap:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_no_file_of_any_name_is_unpickled(tmp_path):
    trap = tmp_path / "sprung"
    array = io.BytesIO()
    np.save(array, np.full((40, 40), Trap(trap)), allow_pickle=True)
    for suffix in READERS:
        for content in (pickle.dumps(Trap(trap)), array.getvalue()):
            (tmp_path / f"a{suffix}").write_bytes(content)
            with pytest.raises(InputError):
                read_image(tmp_path / f"a{suffix}")
    for name in ("a.npz", "a.prz", "labels.npz"):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            for member in ("image", "data", "meta_data", "meta_data_json", "__plain__", "values"):
                file.writestr(f"{member}.npy", array.getvalue())
        with pytest.raises(InputError):
            (
                load_arrays(tmp_path / name, Labels)
                if name == "labels.npz"
                else read_image(tmp_path / name)
            )
    assert not trap.exists()


# Names


NAMES = [
    "...tif",
    "..tif",
    ".hidden.tif",
    "-rf.tif",
    "a\nb.tif",
    "\x1b[31mred.tif",
    "<script>.tif",
    "$x_{.tif",
    "a:b\\c.tif",
    "é" * 100 + ".tif",
    "\udcff.tif",
    " .tif",
    "summary.csv.tif",
    "a.tif",
    "a.npy",
    "A.tif",
]


def test_folders_of_a_batch_stay_in_it(tmp_path):
    out = tmp_path / "out"
    jobs, ready = _assign([*NAMES, "sub/a.tif", "../../a.tif", "/a.tif"], out, {})
    folders = [job.folder for job in jobs]
    assert ready == [] and len({f.name.casefold() for f in folders}) == len(folders)
    for one in folders:
        assert (
            one.parent == out and one.resolve().parent == out.resolve() and one.name.isprintable()
        )
        one.mkdir(parents=True)
    assert len(list(out.glob("*"))) == len(folders) and not any(
        f.name.startswith((".", "-")) for f in folders
    )
    assert "summary.csv" not in {f.name for f in folders}


def test_a_batch_of_odd_names_writes_below_its_folder(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for name in ("...tif", "<img src=x> $x_{.tif", "a\nb.tif"):
        (tmp_path / "in" / name).write_bytes(b"no image")
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "batch",
                *(str(tmp_path / "in" / n) for n in ("...tif", "<img src=x> $x_{.tif", "a\nb.tif")),
                "--out",
                str(tmp_path / "out"),
                "--workers",
                "1",
            ]
        )
    assert stop.value.code == 2 and len(capsys.readouterr().err.strip().split("\n")) >= 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]
    assert {p.name for p in (tmp_path / "out").iterdir() if p.is_file()} == {"summary.csv"}


@pytest.mark.parametrize(
    "name", ["a\x1b[31mb.tif", "a\r\nb.tif", "a\udcffb.tif", "a\x00b.tif", "\u202eb.tif"]
)
def test_no_name_reaches_the_terminal_raw(capsys, tmp_path, name):
    with pytest.raises(SystemExit) as stop:
        main(["analyze", name, "--out", str(tmp_path / "out")])
    line = capsys.readouterr().err.rstrip("\n")
    assert (
        stop.value.code == 2
        and line.isprintable()
        and line.startswith("bfo: ")
        and "no such file" in line
    )
    assert not (tmp_path / "out").exists()


def test_names_that_are_no_text_are_rows_of_a_batch_and_refused_by_a_run(capsys, tmp_path):
    name = str(tmp_path / "a\udcff.npy")
    Path(name).write_bytes(b"no image")
    with pytest.raises(SystemExit):
        main(["batch", name, "--out", str(tmp_path / "batch"), "--workers", "1"])
    assert "a\\udcff.npy" in (tmp_path / "batch" / "summary.csv").read_text()
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["run", name, "--out", str(tmp_path / "out")])
    assert (
        stop.value.code == 2
        and "a\\udcff.npy: is not valid text (UTF-8)" in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


class Scripts(HTMLParser):
    """Collects what a page would run, and what it shows."""

    def __init__(self, page: str):
        super().__init__()
        self.run, self.shown, self._inside = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self._inside = tag == "script"
        self.run += [
            value or "" for name, value in attributes if name.startswith("on") or name == "src"
        ]

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        (self.run if self._inside else self.shown).append(data)


@pytest.mark.slow
def test_names_and_titles_are_text_in_a_page(tmp_path, junction):
    name, title = (
        '-<script>alert(1)<!-- $x_{ **b** `c` {d} "; import os.h5',
        "<img src=x onerror=alert(2)> $y_{",
    )
    out = tmp_path / "o {x} $z_{ <b>"
    with h5py.File(tmp_path / name, "w") as file:
        file[title], file["other"] = junction.image.data, junction.image.data
    given = {
        "artifacts": str(out / "artifacts"),
        "image": str(tmp_path / name),
        "reading": json.dumps({"dataset": title}),
        "seed": 1,
    }
    step = BookStep("01_data", "default", given)
    execute_step(step, out)
    assert Artifacts(out / "artifacts").prepared().image.name == Path(name).stem
    pages = tmp_path / "pages"
    pages.mkdir()
    (out / "notebooks" / step.target).rename(pages / "01_data.ipynb")
    (pages / "_toc.yml").write_text("format: jb-book\nroot: 01_data\n")
    (pages / "_config.yml").write_text("execute:\n  execute_notebooks: 'off'\n")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(pages),
        "-q",
    ]
    subprocess.run(command, check=True, capture_output=True)
    page = Scripts((pages / "_build" / "html" / "01_data.html").read_text())
    assert "alert(1)" in "".join(page.shown) and not any(
        "alert(" in text or text == "x" for text in page.run
    )


# Parameters


VALUES = [
    '"; import os',
    "'; import os",
    '"""',
    "'''",
    "\\",
    "\\\\n",
    "a\nb",
    "a\r\nb\t",
    "{x} {{y}} {0}",
    "%s %(a)s",
    "é \U0001f9b7 \u2028",
    "\x00\x1b",
    "$(touch x)",
    "`id`",
    "#",
    "r''",
    "{{cookiecutter}}",
    "\\N{DIGIT ONE}",
    "\\x41",
    "None",
    "nan",
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    ("notebook", "name"),
    [
        ("01_data", "reading"),
        ("01_data", "image"),
        ("05_optimization", "fixed"),
        ("10_composition", "series"),
        ("01_data", "artifacts"),
    ],
)
def test_text_reaches_a_notebook_as_it_is(notebook, name, value):
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    source = load_notebook_node(str(resource_path("notebooks") / f"{notebook}.ipynb"))
    injected = parameterize_notebook(
        source, {name: value}, kernel_name="python3", language="python"
    ).cells
    (code,) = [
        cell.source for cell in injected if "injected-parameters" in cell.metadata.get("tags", [])
    ]
    (assignment,) = ast.parse(code).body
    assert isinstance(assignment, ast.Assign) and ast.literal_eval(assignment.value) == value


@pytest.mark.parametrize("value", VALUES)
def test_other_parameters_refuse_text_that_is_none_of_their_values(value):
    for parameter in PARAMETERS + RUN_PARAMETERS:
        if parameter.name == "series":
            assert parameter.check(value) == value
        else:
            with pytest.raises(InputError, match=f"parameter {parameter.name}: "):
                parameter.check(value)


def test_braces_in_paths_are_no_places_to_fill(tmp_path):
    assert _literal(Path("a {b} {c")).format() == "a {b} {c"
