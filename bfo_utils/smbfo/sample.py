"""Reader of the Sm-BFO series: an image with its invalid pixels, the authors' parameters, and their
agreement.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..io import Image, read_image
from ..search import PreparedImage, prepare_image
from .agreement import Comparison, compare_parameters
from .parameterization import Parameterization, check_polar_order, read_parameterization
from .registry import data_folder, locate_file, pair_of


@dataclass(frozen=True, eq=False)
class Sample:
    """One pair of the series.

    Attributes
    ----------
    id : str
    samarium : int
        Sm content in per cent.
    image : Image
        ``image.valid`` is False where the file has NaN or infinite values.
    parameters : Parameterization
    prepared : PreparedImage
        Our own measurement of the image.
    comparison : Comparison
    order : {"xy", "yx"}
        Reading of ``Pxy`` in use.
    """

    id: str
    samarium: int
    image: Image
    parameters: Parameterization
    prepared: PreparedImage
    comparison: Comparison
    order: str

    @property
    def polar(self) -> np.ndarray:
        """``Pxy`` as (x, y) on the authors' grid, in the authors' unit, shape (R, C, 2)."""
        return self.parameters.vector("Pxy", self.order)

    @property
    def xy(self) -> np.ndarray:
        """Centers of the authors' cells in px, shape (R, C, 2)."""
        return self.parameters.vector("xy_COM", self.comparison.positions)


def read_sample(
    name: str,
    where: str | Path | None = None,
    order: str = "auto",
    pixel_size_nm: float | None = None,
) -> Sample:
    """Read a pair of the series and compare it with our measurement of the image.

    Parameters
    ----------
    name : str
        Id such as ``Sm_7_0``, in any case.
    where : str or Path, optional
        Folder of the files, see :func:`bfo_utils.smbfo.data_folder`.
    order : {"auto", "xy", "yx"}
        Reading of the rows of ``Pxy``; by default the one that agrees better with the image.
    pixel_size_nm : float, optional
        Nanometers per pixel, which the files do not contain.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        If a file is missing or damaged, or its image shows no lattice.
    """
    if order != "auto":
        check_polar_order(order)
    pair, folder = pair_of(name), data_folder(where)
    found = {file: locate_file(folder, file) for file in (pair.image, pair.parameters)}
    paths = [path for path in found.values() if path]
    if len(paths) < len(found):
        lacking = next(file for file, path in found.items() if path is None)
        raise InputError(
            f"{folder / lacking}: no such file; download it with: bfo fetch smbfo {pair.id}"
        )
    image = read_image(paths[0], pixel_size_nm=pixel_size_nm)
    parameters = read_parameterization(paths[1])
    prepared = prepare_image(image)
    comparison = compare_parameters(parameters, prepared.lattice.cells)
    return Sample(
        pair.id,
        pair.samarium,
        image,
        parameters,
        prepared,
        comparison,
        comparison.order if order == "auto" else order,
    )
