import pytest

from bfo_utils.errors import InputError
from bfo_utils.smbfo import (
    DICTIONARY_FILE,
    DICTIONARY_RECORD,
    FOLDER_VARIABLE,
    HASHES,
    SERIES_IDS,
    SERIES_PAIRS,
    SERIES_RECORD,
    SERVER_VARIABLE,
    available_pairs,
    data_folder,
    data_server,
    keep_hash,
    kept_hashes,
    match_file,
    pair_of,
)


def test_fourteen_pairs_one_of_them_spelled_otherwise():
    assert len(SERIES_PAIRS) == 14
    assert [p.id for p in SERIES_PAIRS if not p.image.startswith("Sm_")] == ["Sm_10_0"]
    assert sorted({p.samarium for p in SERIES_PAIRS}) == [0, 7, 10, 13, 20]
    assert {p.parameters for p in SERIES_PAIRS} == {
        f"{i}_UCParameterization.h5" for i in SERIES_IDS
    }


@pytest.mark.parametrize("name", ["Sm_10_0", "SM_10_0", "sm_10_0"])
def test_ids_are_known_in_any_case(name):
    assert pair_of(name).image == "SM_10_0_HAADF.h5"


@pytest.mark.parametrize("name", ["", "Sm_10", "Sm_10_2", "../Sm_10_0"])
def test_other_ids_are_refused(name):
    with pytest.raises(InputError, match="choose from Sm_0_0"):
        pair_of(name)


def test_addresses_are_those_of_the_archive():
    assert SERIES_RECORD.listing(data_server()) == "https://zenodo.org/api/records/4555979"
    address = DICTIONARY_RECORD.address(data_server(), DICTIONARY_FILE)
    assert (
        address
        == "https://zenodo.org/records/4876786/files/composition_series_dict_full.npy?download=1"
    )


def test_server_and_folder_can_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv(SERVER_VARIABLE, "http://localhost:1/")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert data_server() == "http://localhost:1" and data_folder() == tmp_path
    assert data_server("https://x.org") == "https://x.org" and data_folder("d").name == "d"
    with pytest.raises(InputError, match="not a web address"):
        data_server("ftp://x.org")


def test_an_exact_name_goes_before_another_case():
    assert (
        match_file("b", ["B", "b"]) == "b"
        and match_file("b", ["B"]) == "B"
        and match_file("b", []) is None
    )


def test_hashes_are_kept_beside_the_files(tmp_path):
    assert kept_hashes(tmp_path) == {}
    keep_hash(tmp_path, "a", "1")
    keep_hash(tmp_path, "b", "2")
    assert kept_hashes(tmp_path) == {"a": "1", "b": "2"}
    (tmp_path / HASHES).write_text("[1]")
    with pytest.raises(InputError, match="move it away"):
        kept_hashes(tmp_path)


def test_pairs_are_those_whose_image_is_there(tmp_path):
    for name in (
        "Sm_7_0_HAADF.h5",
        "Sm_7_3_HAADF.h5",
        "sm_10_0_haadf.H5",
        "Sm_20_0_UCParameterization.h5",
    ):
        (tmp_path / name).touch()
    assert [p.id for p in available_pairs(tmp_path)] == ["Sm_7_0", "Sm_7_3", "Sm_10_0"]
    assert [p.id for p in available_pairs(tmp_path, most=1)] == ["Sm_7_0", "Sm_10_0"]
    with pytest.raises(InputError, match="download it with: bfo fetch smbfo --dir"):
        available_pairs(tmp_path / "nothing")
