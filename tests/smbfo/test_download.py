"""Downloads from a server on this computer that breaks off, lies, moves files and is not there."""

import shutil
import socket
import subprocess
import sys
import time

import pytest

from bfo_utils.cli import main
from bfo_utils.compute import OWNER, partial, transfer
from bfo_utils.errors import InputError
from bfo_utils.smbfo import (
    FOLDER_VARIABLE,
    HASHES,
    SERIES_IDS,
    SERIES_RECORD,
    SERVER_VARIABLE,
    SeriesStyle,
    fetch_series,
    kept_hashes,
    write_series,
)
from tests.local_zenodo import LocalZenodo

IDS = ("Sm_10_0", "Sm_20_1")
IMAGE, PARAMETERS = "SM_10_0_HAADF.h5", "Sm_10_0_UCParameterization.h5"
DROP = 300_000  # bytes; the images have 800 kB


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two pairs of a simulated series."""
    folder = tmp_path_factory.mktemp("record")
    write_series(folder, IDS, SeriesStyle(cells=20, cell_px=16))
    return folder


@pytest.fixture(autouse=True)
def only_this_computer(monkeypatch):
    """No test reaches the network, and none waits."""
    connect = socket.socket.connect

    def guarded(self, address):
        assert address[0] == "127.0.0.1", f"a test reaches for {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setattr(transfer, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def archive(files, monkeypatch):
    """The server, named by the environment."""
    with LocalZenodo(files) as running:
        monkeypatch.setenv(SERVER_VARIABLE, running.url)
        yield running


def names(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def same(folder, archive, name):
    return (folder / name).read_bytes() == archive.files[name]


def refused(capsys, *arguments):
    """The last line of stderr of a refused call, the only one of ours."""
    with pytest.raises(SystemExit) as stop:
        main(["fetch", "smbfo", *map(str, arguments)])
    captured = capsys.readouterr()
    ours = [line for line in captured.err.strip().split("\n") if line.startswith("bfo: ")]
    assert (
        stop.value.code == 2
        and captured.out == ""
        and len(ours) == 1
        and "Traceback" not in captured.err
    )
    return ours[0]


def test_a_pair_is_announced_downloaded_checked_and_kept(archive, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fetch", "smbfo", "sm_10_0", "--dir", str(tmp_path / "d")])
    out, err = capsys.readouterr()
    assert stop.value.code == 0
    assert out.split() == [str(tmp_path / "d" / n) for n in (IMAGE, PARAMETERS)]
    assert (
        "Sm-BFO series: 2 files, " in err
        and "cc-by-4.0" in err
        and "10.13139/ORNLNCCS/1773704" in err
    )
    assert names(tmp_path / "d") == sorted([IMAGE, PARAMETERS, HASHES])
    assert all(same(tmp_path / "d", archive, n) for n in (IMAGE, PARAMETERS))


def test_size_and_citation_come_before_any_file(archive, tmp_path):
    said = []
    fetch_series(["Sm_10_0"], tmp_path, say=lambda line: said.append((line, list(archive.log))))
    ((line, before),) = said
    size = sum(len(archive.files[name]) for name in (IMAGE, PARAMETERS))
    assert SERIES_RECORD.citation in line and f"{size / 1000:.0f} kB" in line
    assert [path for path, _ in before] == ["/api/records/4555979"]


def test_what_is_there_is_not_asked_for_again(archive, tmp_path):
    fetch_series(IDS, tmp_path)
    asked, said = len(archive.log), []
    found = fetch_series(IDS, tmp_path, say=said.append)
    assert len(archive.log) == asked and said == []
    assert [p.name for p in found["Sm_10_0"]] == [IMAGE, PARAMETERS]


def test_good_files_from_elsewhere_are_taken_over_in_any_spelling(archive, tmp_path, files):
    shutil.copy(files / IMAGE, tmp_path / "Sm_10_0_haadf.H5")
    shutil.copy(files / PARAMETERS, tmp_path)
    said = []
    found = fetch_series(["Sm_10_0"], tmp_path, say=said.append)
    assert found["Sm_10_0"][0].name == "Sm_10_0_haadf.H5" and said == []
    assert len(archive.log) == 1 and set(kept_hashes(tmp_path)) == {IMAGE, PARAMETERS}


def test_a_damaged_file_is_downloaded_anew(archive, tmp_path):
    image = fetch_series(["Sm_10_0"], tmp_path)["Sm_10_0"][0]
    image.write_bytes(image.read_bytes()[:-1])
    fetch_series(["Sm_10_0"], tmp_path)
    assert same(tmp_path, archive, IMAGE) and len(archive.requests(PARAMETERS)) == 1


@pytest.mark.parametrize("moved", [False, True])
def test_a_broken_download_goes_on_where_it_stopped(archive, tmp_path, moved):
    archive.faults.drops[IMAGE] = [DROP, DROP // 2]
    archive.faults.moved = {IMAGE} if moved else set()
    fetch_series(["Sm_10_0"], tmp_path)
    asked = [wanted for wanted in archive.requests(IMAGE) if wanted]
    starts = [int(wanted[6:-1]) for wanted in dict.fromkeys(asked)]
    assert len(starts) == 2 and 0 < DROP - starts[0] < 1 << 16 and starts[1] > starts[0]
    assert same(tmp_path, archive, IMAGE) and not partial(tmp_path / IMAGE).exists()


def test_every_new_byte_buys_new_tries(archive, tmp_path):
    archive.faults.drops[IMAGE] = [80_000] * 9
    fetch_series(["Sm_10_0"], tmp_path)
    assert same(tmp_path, archive, IMAGE) and len(archive.requests(IMAGE)) == 10


def test_the_next_call_goes_on_with_the_part_that_came(archive, tmp_path, capsys):
    archive.faults.drops[IMAGE] = [DROP, 0, 0, 0]
    assert "it continues where it stopped" in refused(capsys, "Sm_10_0", "--dir", tmp_path)
    part = partial(tmp_path / IMAGE)
    assert set(names(tmp_path)) - {OWNER} == {part.name} and archive.files[IMAGE].startswith(
        part.read_bytes()
    )
    size = part.stat().st_size
    fetch_series(["Sm_10_0"], tmp_path)
    assert (
        size > 0
        and archive.requests(IMAGE)[-1] == f"bytes={size}-"
        and same(tmp_path, archive, IMAGE)
    )


def test_a_killed_download_leaves_only_the_part(archive, tmp_path):
    archive.faults.stalled = {IMAGE}
    command = [
        sys.executable,
        "-m",
        "bfo_utils",
        "fetch",
        "smbfo",
        "Sm_10_0",
        "--dir",
        str(tmp_path),
    ]
    part = partial(tmp_path / IMAGE)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (part.exists() and part.stat().st_size):
            time.sleep(0.01)
        process.kill()
    assert set(names(tmp_path)) - {OWNER} == {part.name} and archive.files[IMAGE].startswith(
        part.read_bytes()
    )
    size, archive.faults.stalled = part.stat().st_size, set()
    fetch_series(["Sm_10_0"], tmp_path)
    assert archive.requests(IMAGE) == [None, f"bytes={size}-"] and same(tmp_path, archive, IMAGE)


def test_a_whole_part_needs_no_request_and_too_long_a_one_is_dropped(archive, tmp_path, files):
    shutil.copy(files / IMAGE, partial(tmp_path / IMAGE))
    partial(tmp_path / PARAMETERS).write_bytes(archive.files[PARAMETERS] + b"x")
    fetch_series(["Sm_10_0"], tmp_path)
    assert archive.requests(IMAGE) == [] and archive.requests(PARAMETERS) == [None]
    assert same(tmp_path, archive, IMAGE) and same(tmp_path, archive, PARAMETERS)


def test_a_server_without_ranges_sends_the_whole(archive, tmp_path):
    archive.faults.drops[IMAGE], archive.faults.no_ranges = [DROP], True
    fetch_series(["Sm_10_0"], tmp_path)
    assert same(tmp_path, archive, IMAGE)


def test_a_part_beyond_the_servers_file_is_begun_anew(archive, tmp_path):
    partial(tmp_path / IMAGE).write_bytes(b"x" * (len(archive.files[IMAGE]) - 1))
    whole, archive.faults.answer = archive.files[IMAGE], archive.description()
    archive.files[IMAGE] = whole[:DROP]
    with pytest.raises(InputError, match="does not have the missing part"):
        fetch_series(["Sm_10_0"], tmp_path)
    assert archive.requests(IMAGE)[:2] == [f"bytes={len(whole) - 1}-", None]
    archive.files[IMAGE] = whole
    fetch_series(["Sm_10_0"], tmp_path)
    assert same(tmp_path, archive, IMAGE)


def test_a_wrong_part_ends_in_a_refusal_and_then_in_a_new_download(archive, tmp_path):
    partial(tmp_path / IMAGE).write_bytes(b"x" * DROP)
    with pytest.raises(InputError, match="MD5"):
        fetch_series(["Sm_10_0"], tmp_path)
    assert archive.requests(IMAGE) == [f"bytes={DROP}-"] and names(tmp_path) == []
    fetch_series(["Sm_10_0"], tmp_path)
    assert same(tmp_path, archive, IMAGE)


def test_a_wrong_byte_is_refused_and_nothing_kept(archive, tmp_path, capsys):
    archive.faults.damaged = {IMAGE}
    line = refused(capsys, "Sm_10_0", "--dir", tmp_path / "new" / "d")
    assert IMAGE in line and "MD5" in line and "deleted" in line
    assert names(tmp_path) == [] and len(archive.requests(IMAGE)) == 1


def test_a_wrong_byte_leaves_the_good_files(archive, tmp_path, capsys):
    archive.faults.damaged = {PARAMETERS}
    refused(capsys, "Sm_10_0", "--dir", tmp_path)
    assert names(tmp_path) == sorted([IMAGE, HASHES]) and list(kept_hashes(tmp_path)) == [IMAGE]


def test_more_bytes_than_recorded_are_refused(archive, tmp_path, capsys):
    archive.faults.wordy = {IMAGE}
    assert "sends more than" in refused(capsys, "Sm_10_0", "--dir", tmp_path)
    assert names(tmp_path) == []


def test_a_missing_file_is_said_at_once(archive, tmp_path, capsys):
    archive.faults.missing = {IMAGE}
    line = refused(capsys, "Sm_10_0", "--dir", tmp_path / "d")
    assert "404" in line and IMAGE in line and len(archive.requests(IMAGE)) == 1
    assert not (tmp_path / "d").exists()


def test_a_busy_server_is_asked_again(archive, tmp_path):
    archive.faults.busy, archive.faults.busy_status = 2, 429
    fetch_series(["Sm_10_0"], tmp_path)
    assert [path for path, _ in archive.log].count("/api/records/4555979") == 3


def test_a_server_that_stays_busy_is_one_line(archive, tmp_path, capsys):
    archive.faults.busy = 99
    assert "503" in refused(capsys, "--dir", tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_the_record_may_spell_names_otherwise(archive, tmp_path):
    archive.spelled = {IMAGE: "Sm_10_0_haadf.h5"}
    fetch_series(["Sm_10_0"], tmp_path)
    assert same(tmp_path, archive, IMAGE) and len(archive.requests("Sm_10_0_haadf.h5")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "<html>log in</html>",
        "[]",
        "{}",
        '{"files": [{"key": "a", "size": 1}]}',
        '{"files": [{"key": "a", "size": 1, "checksum": "sha1:00"}]}',
    ],
)
def test_an_answer_that_is_no_list_of_files_is_one_line(archive, tmp_path, capsys, answer):
    archive.faults.answer = answer
    assert "not a list of files" in refused(capsys, "--dir", tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_a_record_without_the_file_is_one_line(archive, tmp_path, capsys):
    assert "Sm_0_0_HAADF.h5: the record lists no such file" in refused(
        capsys, "Sm_0_0", "--dir", tmp_path / "d"
    )


def test_a_record_may_name_no_license(archive, tmp_path):
    archive.faults.answer = archive.description().replace(
        '"metadata": {"license": {"id": "cc-by-4.0"}}', '"metadata": {}'
    )
    said = []
    fetch_series(["Sm_10_0"], tmp_path, say=said.append)
    assert "License: see the record" in said[0]


def test_no_network_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv(SERVER_VARIABLE, "http://127.0.0.1:1")
    assert "check the network" in refused(capsys, "Sm_10_0", "--dir", tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_an_unknown_id_asks_nothing_of_the_network(archive, capsys, tmp_path):
    assert "id 'Sm_5_0': not in the Sm-BFO series" in refused(
        capsys, "Sm_10_0", "Sm_5_0", "--dir", tmp_path / "d"
    )
    assert archive.log == []


def test_a_folder_that_cannot_be_written_is_one_line(archive, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for place in ("file", "file/d"):
        assert "cannot be written" in refused(capsys, "Sm_10_0", "--dir", tmp_path / place)
    assert archive.requests(IMAGE) == []


def test_a_full_disk_is_seen_before_the_download(archive, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    assert "needed" in refused(capsys, "Sm_10_0", "--dir", tmp_path)
    assert archive.requests(IMAGE) == [] and names(tmp_path) == []


def test_the_folder_comes_from_the_environment(archive, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    assert fetch_series(["Sm_10_0"])["Sm_10_0"][0] == tmp_path / "cache" / IMAGE


def test_all_fourteen_pairs(tmp_path, monkeypatch):
    write_series(tmp_path / "record", style=SeriesStyle(cells=12, cell_px=8))
    with LocalZenodo(tmp_path / "record") as running:
        found = fetch_series(where=tmp_path / "d", server=running.url)
        assert list(found) == list(SERIES_IDS) and len(names(tmp_path / "d")) == 29
        assert all(same(tmp_path / "d", running, p.name) for pair in found.values() for p in pair)
