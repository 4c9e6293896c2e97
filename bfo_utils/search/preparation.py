"""A prepared image and the data shared by its configurations: windows, components, autoencoders."""

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ..columns import (
    ColumnErrors,
    Columns,
    ColumnShape,
    column_errors,
    column_shapes,
    find_columns,
    refit_columns,
    with_bright_columns,
)
from ..compute import Cache, on_one_thread
from ..descriptors import (
    CELL_SITES,
    FIELD_DESCRIPTORS,
    MAX_WINDOW,
    SITES,
    Oxygen,
    Patches,
    crop_windows,
    cut_windows,
    field_vectors,
    find_oxygen,
    measured_vectors,
    normalize_windows,
    project_in_parts,
    window_bytes,
    window_samples,
)
from ..errors import InputError
from ..io import Image, calibrated, repair_hot_pixels
from ..lattice import (
    MIN_CELLS,
    CellErrors,
    Halves,
    Lattice,
    ScanDistortion,
    Strain,
    Superstructure,
    build_lattice,
    cell_errors,
    half_fits,
    half_image,
    measure_scan,
    measure_strain,
    reference_cell,
    scan_errors,
    superstructures,
    undo_scan,
)
from ..rewards import ReferenceField, analyzed_mask, measure_reference
from ..segmentation import ProposedMask, Tilt, check_tilt, measure_tilt, propose_masks
from ..vae import VAE, independent_axes, settings_of, trained_vae
from .space import PARAMETERS, Value, complete_parameters, parameter

_MOST = int(parameter("n_components").high or 1)
_IN_PART = ", in the part of the image that --roi, --mask and --exclude leave"
_WINDOWS, _COMPONENTS = 3 * 2**30, 2**29  # bytes of windows and of components that are kept
_KEPT_MAPS = 128  # label maps, of configurations that may be asked for again
_DESCRIBES = [
    *(p.name for p in PARAMETERS if p.stage == "descriptors" and p.name != "n_components"),
    *(p.name for p in PARAMETERS if p.stage == "autoencoder"),
]


@dataclass(frozen=True)
class PreparedImage:
    """The starting point of all configurations.

    Attributes
    ----------
    image : Image
    lattice : Lattice
        Its indexed columns and measured cells.
    mask : ndarray of bool, shape (R, C)
        The analyzed cells.
    reference : ReferenceField
        Field that judges the label maps.
    detection_scale, refinement_radius : float
        The settings that the columns were found with.
    bright, polar_sign, born_charge, strain_reference, scan_axis, tilt
        See :func:`prepare_image`.
    scan : ScanDistortion
        How the rows of the scan were displaced; the image is corrected where ``scan.corrected``.
    oxygen : Oxygen or None
        Measurement from the second channel of the image, if there is one.
    """

    image: Image
    lattice: Lattice
    mask: np.ndarray
    reference: ReferenceField
    detection_scale: float = 1.0
    refinement_radius: float = 0.45
    bright: str = "A"
    polar_sign: int = 1
    born_charge: float = 0.0
    strain_reference: str = "mean"
    scan: ScanDistortion = field(default_factory=ScanDistortion)
    scan_axis: str = "auto"
    tilt: str = "none"
    oxygen: Oxygen | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """Sites of a cell for windows; "B" only where the second sublattice is seen."""
        return CELL_SITES if self.lattice.cells.has_b else tuple(s for s in CELL_SITES if s != "B")

    @cached_property
    def _fit_errors(self) -> ColumnErrors:
        """Standard errors of the columns, from the covariance of their fits."""
        columns = self.lattice.columns
        return column_errors(self.image, columns, self.refinement_radius * columns.spacing_px)

    @cached_property
    def _scan_errors(self) -> tuple[np.ndarray, np.ndarray]:
        """What the scan leaves at every row: of positions, of polar displacements."""
        return scan_errors(self.scan)

    @cached_property
    def column_errors(self) -> ColumnErrors:
        """Standard errors of the columns, from the covariance of their fits and the remaining scan
        error.
        """
        fits, left = self._fit_errors, self._scan_errors[0]
        return replace(fits, xy=self._with_scan(fits.xy, self.lattice.columns.xy, left))

    def _with_scan(self, se: np.ndarray, xy: np.ndarray, left: np.ndarray) -> np.ndarray:
        """Standard errors (..., 2) at positions, with those (n,) that the scan leaves at rows."""
        if self.scan.axis == "none":
            return se
        fast, slow = (0, 1) if self.scan.axis == "x" else (1, 0)
        out = se.copy()
        more = np.interp(xy[..., slow], np.arange(len(left)), left)
        out[..., fast] = np.hypot(se[..., fast], more)
        return out

    @cached_property
    def halves(self) -> Halves:
        """The cells measured from two halves of the pixels."""
        return half_fits(self.image, self.lattice, self.refinement_radius)

    @cached_property
    def cross_fitted(self) -> tuple["PreparedImage", "PreparedImage"]:
        """The image from either half of its pixels, with the reference field of the other half: a
        map is made from one half and rewarded with the other.
        """
        halves, kind = self.halves, self.reference.kind
        images = [half_image(self.image, halves.axis, parity) for parity in (0, 1)]
        fields = [
            measure_reference(image, cells, self.mask, kind)
            for image, cells in zip(images, halves.cells)
        ]
        one, two = (
            replace(self, image=image, lattice=replace(self.lattice, cells=cells), reference=field)
            for image, cells, field in zip(images, halves.cells, reversed(fields))
        )
        return one, two

    @cached_property
    def strain(self) -> Strain:
        """Strain of the cells against the reference."""
        cells = self.lattice.cells
        return measure_strain(
            cells, reference_cell(cells, self.strain_reference, self.image.pixel_size_nm)
        )

    @cached_property
    def cell_errors(self) -> CellErrors:
        """Standard errors of all quantities measured on the cells, from the covariance of the fits
        and, for the polar displacement, the remaining scan error.
        """
        fits = cell_errors(self.lattice, self._fit_errors.xy, self.strain.reference)
        cells, left = self.lattice.cells, self._scan_errors[1]
        return replace(fits, polar=self._with_scan(fits.polar, cells.xy, left))

    @cached_property
    def proposed_masks(self) -> list[ProposedMask]:
        """Parts of the image that it may be better to leave out."""
        return propose_masks(self.image, self.lattice, self.mask)

    @cached_property
    def column_shapes(self) -> dict[str, ColumnShape]:
        """Asymmetry and elongation of the columns of every sublattice."""
        lattice, columns = self.lattice, self.lattice.columns
        radius = self.refinement_radius * columns.spacing_px
        return column_shapes(self.image, columns, lattice.sublattice, radius)

    @cached_property
    def measured_tilt(self) -> Tilt | None:
        """Part of the measured polar displacement that mistilt may have caused; None without the
        second sublattice.
        """
        return _measured_tilt(self.lattice, self.mask) if self.lattice.cells.has_b else None

    @cached_property
    def superstructures(self) -> list[Superstructure]:
        """Ordered displacements of both sublattices."""
        return superstructures(self.lattice)

    @property
    def fingerprint(self) -> str:
        """Hash of everything but the configuration that affects the rewards: pixels, column
        settings, kind of reference field.
        """
        digest = hashlib.sha256(np.ascontiguousarray(self.image.data).data)
        digest.update(np.ascontiguousarray(self.image.valid).data)
        if self.image.region is not None:
            digest.update(np.ascontiguousarray(self.image.region).data)
        digest.update(
            f"{self.detection_scale} {self.refinement_radius} {self.reference.kind}".encode()
        )
        digest.update(b"" if self.bright == "A" else self.bright.encode())
        digest.update(b"" if self.tilt == "none" else self.tilt.encode())
        return digest.hexdigest()


@on_one_thread
def prepare_image(
    image: Image,
    detection_scale: float = 1.0,
    refinement_radius: float = 0.45,
    evidence: str = "auto",
    bright: str = "A",
    polar_sign: int = 1,
    born_charge: float = 0.0,
    strain_reference: str = "mean",
    scan_axis: str = "auto",
    tilt: str = "none",
) -> PreparedImage:
    """Measure columns, lattice, analyzed cells and reference field of an image, after hot pixels
    are repaired and displaced scan rows are shifted back.

    Parameters
    ----------
    image : Image
    detection_scale, refinement_radius : float
        See :func:`bfo_utils.columns.find_columns`.
    evidence : str
        See :func:`bfo_utils.rewards.measure_reference`.
    bright : {"A", "B"}
        The brighter of the two sublattices. The polar displacement is that of B relative to its
        four A neighbors.
    polar_sign : {1, -1}
        Whether the polarization points along that displacement (BaTiO3) or against it (PbTiO3,
        BiFeO3). It sets the direction of the arrows.
    born_charge : float
        Size of the Born effective charge of B in e, for the bound charge of walls; 0 if unknown.
    strain_reference : str
        See :func:`bfo_utils.lattice.reference_cell`.
    scan_axis : {"auto", "x", "y", "none"}
        Fast axis of the scan, see :func:`bfo_utils.lattice.measure_scan`; "none" leaves the scan as
        it is.
    tilt : {"none", "offset", "smooth"}
        Which part of the apparent displacement due to mistilt is subtracted from the polar
        displacement, see :class:`bfo_utils.segmentation.Tilt`.

    Returns
    -------
    PreparedImage
    """
    check_tilt(tilt)

    def find(picture: Image, near: Columns | None = None) -> Lattice:
        if near is None or picture.region is not None:  # neighbors beyond the rim count, too
            found = find_columns(picture, detection_scale, refinement_radius)
        else:
            found = refit_columns(picture, near, refinement_radius)
        try:
            return build_lattice(picture, found, refinement_radius, bright)
        except InputError as error:
            raise error if picture.region is None else InputError(f"{error}{_IN_PART}") from None

    image = with_bright_columns(repair_hot_pixels(image))
    indexed = find(image)
    if image.positions is None or image.refine:
        image, indexed, scan = undo_scan(image, indexed, find, scan_axis)
    else:
        scan = measure_scan(image, indexed, scan_axis)
    image = calibrated(image, indexed.cells.basis.cell_px)
    # A reference that cannot be used is refused before the search begins.
    reference_cell(indexed.cells, strain_reference, image.pixel_size_nm)
    mask = analyzed_mask(indexed.cells)
    if mask.sum() < MIN_CELLS:
        raise InputError(
            f"{image.name}: only {int(mask.sum())} unit cells lie inside the crystal's edge"
            f"; at least {MIN_CELLS} are needed{'' if image.region is None else _IN_PART}"
        )
    if tilt != "none" and indexed.cells.has_b:
        indexed = indexed.without_tilt(_measured_tilt(indexed, mask).subtracted(tilt))
    return PreparedImage(
        image,
        indexed,
        mask,
        measure_reference(image, indexed.cells, mask, evidence),
        detection_scale,
        refinement_radius,
        bright,
        polar_sign,
        born_charge,
        strain_reference,
        scan,
        scan_axis,
        tilt,
        None if image.second is None else find_oxygen(image, indexed, refinement_radius),
    )


def _measured_tilt(lattice: Lattice, mask: np.ndarray) -> Tilt:
    """The tilt, from the polar displacement as it was measured."""
    polar = lattice.cells.polar
    return measure_tilt(polar if lattice.tilt is None else polar + lattice.tilt, mask)


def transfer_to_cells(
    values: np.ndarray, own: PreparedImage, reference: PreparedImage
) -> np.ndarray:
    """Transfer values from the analyzed cells of one indexing to those of another indexing of the
    same image, by the nearest cell.

    Parameters
    ----------
    values : ndarray, shape (N, ...) or (2 N, ...)
        One per analyzed cell of ``own``; with all columns, the first half (A) represents the cells.
    own, reference : PreparedImage

    Returns
    -------
    ndarray, shape (M, ...)
        One per analyzed cell of ``reference``.
    """
    values = values[: int(own.mask.sum())]
    if own is reference:
        return values
    return values[
        cKDTree(own.lattice.cells.xy[own.mask]).query(reference.lattice.cells.xy[reference.mask])[1]
    ]


class SharedWork:
    """Data that the configurations of one prepared image have in common, computed once and kept.

    Parameters
    ----------
    prepared : PreparedImage
    networks : str or Path
        Folder of trained autoencoders; empty: only the latest ones are kept, in memory.
    many : bool
        Whether many configurations are expected: windows are then cut as large as any may need, and
        otherwise as large as the first one does.

    Examples
    --------
    >>> from bfo_utils.simulation import Specimen, simulate_phantom
    >>> prepared = prepare_image(simulate_phantom(Specimen(cells=16, cell_px=16)).image)
    >>> work = SharedWork(prepared)
    >>> work.patches("A") is work.patches("A")
    True
    """

    def __init__(self, prepared: PreparedImage, networks: str | Path = "", many: bool = True):
        self.prepared, self.networks, self.many = prepared, networks, many
        self._patches = Cache(2 * len(SITES), _WINDOWS)
        self._components = Cache(64, _COMPONENTS)
        self._autoencoders = Cache(4)
        self._others = Cache(4, _WINDOWS)
        self.maps = Cache(_KEPT_MAPS, _COMPONENTS)

    @cached_property
    def cross_fitted(self) -> tuple["SharedWork", "SharedWork"]:
        """The work on either half of the image, see :class:`PreparedImage`."""
        one, two = self.prepared.cross_fitted
        return SharedWork(one, self.networks), SharedWork(two, self.networks, many=False)

    def patches(self, site: str, size: float = MAX_WINDOW) -> Patches:
        """Windows of all analyzed cells on a site, with an edge of at least ``size`` cells."""
        image, cells, mask = self.prepared.image, self.prepared.lattice.cells, self.prepared.mask

        def cut(key: Hashable, edge: float) -> Patches:
            weight = window_bytes(int(mask.sum()), edge)
            return self._patches.once(
                key, lambda: cut_windows(image, cells, mask, site, size=edge), weight
            )

        if not self.many:
            first = cut((site, "first"), size)
            if first.data.shape[1] >= window_samples(size):
                return first
        return cut(site, MAX_WINDOW)

    def components(self, parameters: Mapping[str, Value]) -> np.ndarray:
        """Principal components of the descriptors in order, as many as any configuration may need;
        for an autoencoder, the independent axes of its latents.
        """
        key = _described_by(parameters)
        if parameters["descriptor"] == "vae":
            return self._components.once(key, lambda: self._latents(parameters))
        n = int(self.prepared.mask.sum()) * _windows_of(self.prepared, parameters)

        def vectors(part: np.ndarray) -> np.ndarray:
            return cell_vectors(self.prepared, parameters, part, self)

        return self._components.once(
            key, lambda: project_in_parts(vectors, n, _MOST), weight=8 * n * _MOST
        )

    def autoencoder(self, parameters: Mapping[str, Value]) -> VAE:
        """The autoencoder of a configuration, trained once."""

        def train() -> VAE:
            windows = cell_windows(self.prepared, parameters, work=self)
            settings, epochs = settings_of(parameters), parameters["epochs"]
            classes = self.classes(parameters)
            return trained_vae(windows, settings, epochs, self.networks, classes)

        return self._autoencoders.once(_described_by(parameters), train)

    def classes(self, parameters: Mapping[str, Value]) -> np.ndarray | None:
        """Class of every window for a conditional autoencoder: 0 for A and 1 for B columns; None
        for other models.
        """
        if not settings_of(parameters).conditions:
            return None
        kinds = range(_windows_of(self.prepared, parameters))
        return np.repeat(kinds, int(self.prepared.mask.sum()))

    def found_with(self, detection_scale: float, refinement_radius: float) -> "SharedWork":
        """The same for the image with its columns found with other settings."""
        own = self.prepared
        if (detection_scale, refinement_radius) == (own.detection_scale, own.refinement_radius):
            return self

        def prepare() -> SharedWork:
            other = prepare_image(
                own.image if own.image.second is None else replace(own.image, second=None),
                detection_scale,
                refinement_radius,
                bright=own.bright,
                scan_axis="none",
                tilt=own.tilt,
            )
            return SharedWork(replace(other, scan=own.scan))

        weight = len(SITES) * window_bytes(int(own.mask.sum()))
        return self._others.once((detection_scale, refinement_radius), prepare, weight)

    def _latents(self, parameters: Mapping[str, Value]) -> np.ndarray:
        """Independent axes of the latents that carry something; all latents where none does."""
        network = self.autoencoder(parameters)
        windows = cell_windows(self.prepared, parameters, work=self)
        classes = self.classes(parameters)
        kept = network.informative(windows, classes)
        kept = kept if kept.any() else ~kept
        poses = int(kept[: network.settings.poses].sum())
        return independent_axes(network.encode(windows, classes)[:, kept], poses)


def _windows_of(prepared: PreparedImage, parameters: Mapping[str, Value]) -> int:
    """Windows per cell: two where all columns are described."""
    on_windows = parameters["descriptor"] in ("windows", "vae")
    on_columns = on_windows and parameters["site"] == "columns"
    return 2 if on_columns and prepared.lattice.cells.has_b else 1


def _described_by(parameters: Mapping[str, Value]) -> tuple:
    """The values that decide what cells are described by."""
    return tuple(parameters[name] for name in _DESCRIBES)


def cell_windows(
    prepared: PreparedImage,
    parameters: Mapping[str, Value],
    part: slice | np.ndarray = slice(None),
    work: SharedWork | None = None,
) -> np.ndarray:
    """Windows of the analyzed cells, or of a part of them: cropped, binned and normalized.

    Parameters
    ----------
    prepared : PreparedImage
    parameters : mapping
        Complete parameters.
    part : slice or ndarray of int
        Which of the analyzed cells; with ``site`` "columns" which of their columns, A before B.
    work : SharedWork, optional
        Cache of the windows that several configurations share.

    Returns
    -------
    ndarray, shape (N, H, W)
    """
    p = parameters
    size = max(p["window_height"], p["window_width"])
    patches = (work or SharedWork(prepared, many=False)).patches(p["site"], size)
    cropped = crop_windows(patches, p["window_height"], p["window_width"], p["binning"], part)
    return normalize_windows(cropped, p["normalisation"]).reshape(cropped.shape)


def cell_vectors(
    prepared: PreparedImage,
    parameters: Mapping[str, Value],
    part: slice | np.ndarray = slice(None),
    work: SharedWork | None = None,
) -> np.ndarray:
    """Data that describe the analyzed cells, before the projection.

    Windows, measured quantities, or one measured field.

    Parameters
    ----------
    prepared, parameters, part, work
        As for :func:`cell_windows`.

    Returns
    -------
    ndarray, shape (N, D)
    """
    cells, descriptor = prepared.lattice.cells, parameters["descriptor"]
    if descriptor == "physics":
        return measured_vectors(cells, prepared.mask)[part]
    if descriptor in FIELD_DESCRIPTORS:
        return field_vectors(cells, prepared.mask, descriptor)[part]
    windows = cell_windows(prepared, parameters, part, work)
    return windows.reshape(len(windows), -1)


def cell_descriptors(
    prepared: PreparedImage, parameters: Mapping[str, Value], work: SharedWork | None = None
) -> np.ndarray:
    """Descriptors of the analyzed cells under a configuration.

    Parameters
    ----------
    prepared : PreparedImage
    parameters : mapping
        Any of the parameters; the others take their defaults.
    work : SharedWork, optional

    Returns
    -------
    ndarray, shape (N, n_components)
        Without projection (``n_components`` 0) all samples, in units of their deviation. With
        ``site`` "columns" (2 N, ...): A columns, then B columns.
    """
    p, work = complete_parameters(parameters), work or SharedWork(prepared)
    if p["n_components"] == 0 and p["descriptor"] != "vae":
        vectors = cell_vectors(prepared, p, work=work).astype(float)
        return vectors / max(vectors.std(), 1e-12)
    return work.components(p)[:, : p["n_components"] or None]
