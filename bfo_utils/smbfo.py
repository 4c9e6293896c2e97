"""Reader of the Sm-BFO series: an image with its invalid pixels, the authors' parameters, and how far both agree."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import agreement, images, parameterisation, registry, workflow
from .agreement import Comparison
from .errors import InputError
from .images import Image
from .parameterisation import Parameters
from .workflow import Crystal


@dataclass(frozen=True, eq=False)
class Sample:
    """One pair of the series.

    Attributes
    ----------
    id : str
    samarium : int
        Sm content in per cent.
    image : Image
        ``image.valid`` is False where the file holds NaN or infinite values.
    parameters : Parameters
    crystal : Crystal
        What our own chain found in the image.
    comparison : Comparison
    order : {"xy", "yx"}
        Reading of ``Pxy`` in use.
    """

    id: str
    samarium: int
    image: Image
    parameters: Parameters
    crystal: Crystal
    comparison: Comparison
    order: str

    @property
    def polar(self) -> np.ndarray:
        """``Pxy`` as (x, y) on the authors' grid, in the authors' unit, shape (R, C, 2)."""
        return self.parameters.vector("Pxy", self.order)

    @property
    def xy(self) -> np.ndarray:
        """Centres of the authors' cells in px, shape (R, C, 2)."""
        return self.parameters.vector("xy_COM", self.comparison.positions)


def read(name: str, where: str | Path | None = None, order: str = "auto", pixel_size_nm: float | None = None) -> Sample:
    """Read a pair of the series and compare it with what is measured in its image.

    Parameters
    ----------
    name : str
        Id such as ``Sm_7_0``, in any case.
    where : str or Path, optional
        Folder of the files, see :func:`bfo_utils.registry.folder`.
    order : {"auto", "xy", "yx"}
        Reading of the rows of ``Pxy``; by default the one that agrees better with the image.
    pixel_size_nm : float, optional
        Nanometres per pixel, which the files do not hold.

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        If a file is missing or damaged, or its image shows no lattice.
    """
    if order != "auto":
        parameterisation.checked_order(order)
    pair, folder = registry.pair(name), registry.folder(where)
    found = {file: registry.locate(folder, file) for file in (pair.image, pair.parameters)}
    paths = [path for path in found.values() if path]
    if len(paths) < len(found):
        lacking = next(file for file, path in found.items() if path is None)
        raise InputError(f"{folder / lacking}: no such file; download it with: bfo fetch smbfo {pair.id}")
    image = images.read(paths[0], pixel_size_nm=pixel_size_nm)
    parameters = parameterisation.read(paths[1])
    crystal = workflow.prepare(image)
    comparison = agreement.compare(parameters, crystal.lattice.cells)
    return Sample(pair.id, pair.samarium, image, parameters, crystal, comparison, comparison.order if order == "auto" else order)
