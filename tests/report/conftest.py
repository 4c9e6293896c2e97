"""A finished result in its folder, read back."""

import pytest

from bfo_utils.report import load_answer, write_results


@pytest.fixture(scope="session")
def stored(answer, tmp_path_factory):
    """Folder of the result of a small phantom."""
    out = tmp_path_factory.mktemp("stored")
    write_results(answer, out)
    return out


@pytest.fixture(scope="session")
def loaded(stored):
    """The same, read back."""
    return load_answer(stored)
