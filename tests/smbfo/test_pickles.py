"""The pickled record: refused without the user's word, with a wrong sum, and with anything but
arrays in it.
"""

import os
import pickle
import warnings

import numpy as np
import pytest

from bfo_utils.cli import main
from bfo_utils.compute import transfer
from bfo_utils.errors import InputError
from bfo_utils.smbfo import (
    DICTIONARY_FILE,
    SERVER_VARIABLE,
    file_md5,
    read_trusted_pickle,
    unpack_series,
)
from tests.local_zenodo import LocalZenodo

RNG = np.random.default_rng(0)


class Trap:
    """Leaves a file behind when it is unpickled the ordinary way."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def pickled(folder, content, name=DICTIONARY_FILE):
    folder.mkdir(exist_ok=True)
    with warnings.catch_warnings(action="ignore"):
        np.save(folder / name, np.array(content, dtype=object), allow_pickle=True)
    return folder / name


@pytest.fixture
def content():
    return {
        "Sm_0_0": {
            "main_image": RNG.random((40, 40), dtype=np.float32),
            "Pxy": RNG.random((9, 2)),
            "note": "text",
            "n": np.float64(3),
            "odd": None,
        }
    }


def test_without_the_users_word_nothing_is_read(tmp_path, content):
    path = pickled(tmp_path, content)
    with pytest.raises(InputError, match="can run code"):
        read_trusted_pickle(path, file_md5(path))


def test_with_the_word_and_the_sum_arrays_come_out(tmp_path, content):
    path = pickled(tmp_path, content)
    read = read_trusted_pickle(path, file_md5(path), trust=True)
    assert np.array_equal(read["Sm_0_0"]["main_image"], content["Sm_0_0"]["main_image"])
    (written,) = unpack_series(read, tmp_path / "d")
    with np.load(written) as file:
        assert set(file.files) == {"main_image", "Pxy", "note", "n"}
        assert np.array_equal(file["Pxy"], content["Sm_0_0"]["Pxy"])


def test_names_of_older_numpy_are_known(tmp_path, content):
    path = pickled(tmp_path, {})
    header = path.read_bytes()
    text = pickle.dumps(np.array(content, dtype=object), protocol=2)
    assert b"cnumpy._core.multiarray\n" in text
    path.write_bytes(
        header[: header.index(b"\n") + 1] + text.replace(b"numpy._core", b"numpy.core")
    )
    read = read_trusted_pickle(path, file_md5(path), trust=True)
    assert np.array_equal(read["Sm_0_0"]["Pxy"], content["Sm_0_0"]["Pxy"])


def test_another_sum_is_refused(tmp_path, content):
    with pytest.raises(InputError, match="does not have the MD5 sum"):
        read_trusted_pickle(pickled(tmp_path, content), "0" * 32, trust=True)


def test_code_in_the_pickle_is_not_run(tmp_path):
    path = pickled(tmp_path, {"Sm_0_0": {"image": Trap(tmp_path / "sprung")}})
    with pytest.raises(InputError, match="mkdir, which is not an array"):
        read_trusted_pickle(path, file_md5(path), trust=True)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.array([{}, {}], dtype=object), np.array([1], dtype=object)]
)
def test_other_arrays_are_refused(tmp_path, array):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    with pytest.raises(InputError, match="x.npy: holds no pickled object"):
        read_trusted_pickle(tmp_path / "x.npy", file_md5(tmp_path / "x.npy"), trust=True)


def test_objects_that_are_no_dictionary_of_dictionaries_are_refused(tmp_path):
    path = pickled(tmp_path, {"Sm_0_0": 1})
    with pytest.raises(InputError, match="not hold a dictionary of dictionaries"):
        read_trusted_pickle(path, file_md5(path), trust=True)


def test_damaged_files_are_one_line(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="x.npy: not readable"):
        read_trusted_pickle(tmp_path / "x.npy", file_md5(tmp_path / "x.npy"), trust=True)


def test_keys_make_no_paths(tmp_path):
    with pytest.raises(InputError, match="is not a valid file name"):
        unpack_series({"../x": {}}, tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


def test_the_command_unpacks_only_with_its_flag(tmp_path, monkeypatch, capsys, content):
    monkeypatch.setattr(transfer, "PAUSES", ())
    pickled(tmp_path / "record", content)
    with LocalZenodo(tmp_path / "record") as running:
        monkeypatch.setenv(SERVER_VARIABLE, running.url)
        with pytest.raises(SystemExit) as stop:
            main(["fetch", "smbfo", "--unpickle", "--dir", str(tmp_path / "d")])
        assert stop.value.code == 0
        assert capsys.readouterr().out.strip() == str(
            tmp_path / "d" / "composition_series_dict_full" / "Sm_0_0.npz"
        )
        running.faults.damaged = {DICTIONARY_FILE}
        with pytest.raises(SystemExit) as stop:
            main(["fetch", "smbfo", "--unpickle", "--dir", str(tmp_path / "e")])
        assert stop.value.code == 2 and not (tmp_path / "e").exists()
        with pytest.raises(SystemExit) as stop:
            main(["fetch", "smbfo", "Sm_0_0", "--unpickle", "--dir", str(tmp_path / "e")])
        assert stop.value.code == 2


def test_the_flag_says_why_it_is_dangerous(capsys):
    with pytest.raises(SystemExit):
        main(["fetch", "--help"])
    assert "DANGEROUS" in capsys.readouterr().out
