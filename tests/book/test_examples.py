"""Small real images: downloaded, checked, explained."""

import hashlib
from dataclasses import replace

import pytest

from bfo_utils.book import EXAMPLES, examples, fetch_example
from bfo_utils.cli import main
from bfo_utils.compute import partial, transfer
from bfo_utils.errors import InputError
from tests.local_zenodo import LocalZenodo


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server with a file in the place of the zigzag, and the hash of that."""
    published = tmp_path / "published"
    published.mkdir()
    content = bytes(range(256)) * 2000
    example = EXAMPLES["DyScO3"]
    (published / example.address.split("/")[-1]).write_bytes(content)
    known = replace(example, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(EXAMPLES, "DyScO3", known)
    monkeypatch.setattr(transfer, "PAUSES", (0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with LocalZenodo(published) as running:
        monkeypatch.setenv(examples.SERVER_VARIABLE, running.url)
        yield running


def test_an_image_comes_with_its_license_and_is_asked_for_once(server, tmp_path, capsys):
    name = next(iter(server.files))
    server.faults.drops[name] = [100_000]  # the line breaks once, and the file goes on
    for _ in range(2):
        with pytest.raises(SystemExit):
            main(["fetch", "example", "dysco3", "--dir", str(tmp_path / "here")])
    said = capsys.readouterr()
    path = tmp_path / "here" / "DyScO3.png"
    assert path.read_bytes() == server.files[name] and said.out == f"{path}\n" * 2
    assert "License: MIT. Cite R. Lin" in said.err
    assert server.requests(name) == [None, "bytes=65536-"]  # whole pieces


def test_another_file_is_not_kept(server, tmp_path):
    name = next(iter(server.files))
    server.faults.damaged.add(name)
    with pytest.raises(InputError, match=r"^DyScO3.png: the file from http.*deleted"):
        fetch_example("DyScO3", tmp_path)
    assert not (tmp_path / "DyScO3.png").exists()
    assert not partial(tmp_path / "DyScO3.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mars"], "example 'mars': no such image; choose one of BaTiO3, DyScO3"),
        ([], "fetch example: no example named; give some of BaTiO3, DyScO3"),
        (["BaTiO3", "--unpickle"], "--unpickle: applies only to smbfo; omit it"),
    ],
)
def test_what_is_not_there_is_one_line(words, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fetch", "example", *words])
    assert stop.value.code == 2 and said in capsys.readouterr().err


def test_the_images_known_here_are_those_that_are_published(real_data):
    for example, name in (("BaTiO3", "bto_crystal_2.dm4"), ("DyScO3", "dsco_zigzag.png")):
        known, data = EXAMPLES[example], (real_data / name).read_bytes()
        assert (known.size, known.sha256) == (len(data), hashlib.sha256(data).hexdigest())
