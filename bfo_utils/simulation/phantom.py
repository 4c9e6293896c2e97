"""Simulated HAADF images of a ferroelectric perovskite with their ground truth.

The crystal is a [001] perovskite: A columns on the nodes of a lattice, a B column in every cell,
shifted off its center by the polar displacement of the local variant. Elasticity makes the
spontaneous strain of the variants compatible (displacements are solved for). Then the imperfections
of the microscope are added.
"""

from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from ..compute import atomic, row_bands
from ..errors import InputError, check_number, check_text
from ..io import Image, check_hdf5, image_from_array, opened
from ..lattice import Cells, corner_mean
from .elasticity import cell_gradient, compatible_displacement
from .layouts import VARIANTS, layout_variants

_HDF5 = b"\x89HDF\r\n\x1a\n"  # how such files begin
_PAD = 6  # cells of crystal beyond the frame, so that the frame is full at any rotation
_LATE = 1 / 40, 3.0  # share of the rows that begin late, and rows over which that dies away
_ABF = (0.6, 0.4, 0.3, 0.8)  # depth of A, B and oxygen columns, and their width over that of HAADF
_STO = (0.62, 0.85)  # A and B intensity of the substrate, relative to the film


@dataclass(frozen=True)
class Specimen:
    """Parameters of a simulation: the crystal and the microscope. Names of lengths end with their
    unit.

    ``cells`` counts unit cells along each side of the square frame; ``dose`` is the expected number
    of counts at the peak of an A column; ``wall_cells`` is the tanh width of a wall; ``shear`` the
    spontaneous strain e_xy of a variant; ``composition`` the largest change of the A columns'
    amplitude, smooth over ``composition_cells`` cells; ``substrate`` the width of the unpolarized
    strip at the left as a fraction of the frame.

    The scan displaces every row of pixels: ``jitter_px`` (rms) at random, correlated over
    ``jitter_rows`` rows; mains hum of amplitude ``hum_px`` and a period of ``hum_rows`` rows;
    ``jumps`` permanent steps of ``jump_px`` (rms); ``flyback_px`` (mean) to one side at one row of
    forty, which decays over three rows.
    """

    layout: str = "junction"
    cells: int = 60
    cell_px: float = 26.0
    a_nm: float = 0.396
    dose: float = 30.0
    polarization_pm: float = 36.0
    wall_cells: float = 1.0
    shear: float = 0.004
    rotation_deg: float = 1.5
    bend_deg: float = 0.5
    substrate: float = 0.0
    misfit: float = 0.02
    composition: float = 0.12
    composition_cells: float = 4.0
    mistilt_pm: float = 4.0
    illumination: float = 0.2
    jitter_px: float = 0.12
    jitter_rows: float = 0.0
    hum_px: float = 0.0
    hum_rows: float = 7.3
    jumps: int = 0
    jump_px: float = 1.0
    flyback_px: float = 0.0
    drift_px: float = 2.0
    missing: float = 0.0
    b_intensity: float = 0.5
    background: float = 0.2
    sigma_cells: float = 0.15

    def __post_init__(self):
        check_text("layout", self.layout)
        for name, value in vars(self).items():
            if name != "layout":
                check_number(name, value)
        if self.cells < 8:
            raise InputError(f"cells = {self.cells}: too few for a crystal; use 8 or more")
        if not 0 < self.dose <= 1e6:
            raise InputError(f"dose = {self.dose}: must be a number of counts from above 0 to 1e6")

    @property
    def pm_per_px(self) -> float:
        """Pixel size in pm."""
        return 1000 * self.a_nm / self.cell_px


def film_specimen(layout: str = "junction", cells: int = 60, dose: float = 30.0) -> Specimen:
    """The crystal of the book: a film with the imperfections of real films.

    Its amplitudes vary strongly over a few cells (composition, thickness), and the illumination is
    uneven. The displacement is smaller than that of :class:`Specimen`, with a slow mistilt added,
    and the displacements of neighboring scan rows are correlated. The published choices fail on the
    crystal of the book (junction, seed 0), but not on all such crystals; ``python -m benchmarks
    example`` counts them.

    Parameters
    ----------
    layout : str
        Arrangement of the variants.
    cells : int
        Unit cells along each side.
    dose : float
        Counts at the peak of an A column.

    Returns
    -------
    Specimen

    Examples
    --------
    >>> film_specimen(cells=24).composition > Specimen().composition
    True
    """
    return Specimen(
        layout,
        cells,
        dose=dose,
        polarization_pm=20.0,
        substrate=0.06,
        composition=0.6,
        composition_cells=4.0,
        illumination=0.4,
        mistilt_pm=8.0,
        jitter_px=0.2,
        jitter_rows=2.0,
    )


@dataclass(frozen=True)
class Truth:
    """Ground truth of a phantom. Positions are (x, y) in pixels, as they appear in the image,
    including scan errors.

    ``column_*`` describe every column inside the frame, ``cell_*`` every complete unit cell:
    center, index (i, j), variant (-1 in the substrate), polar displacement (pm, image axes),
    distance to the nearest wall (cells), local lattice rotation (degrees) and relative A intensity.
    """

    column_xy: np.ndarray
    column_sublattice: np.ndarray
    column_ij: np.ndarray
    cell_xy: np.ndarray
    cell_ij: np.ndarray
    cell_variant: np.ndarray
    cell_p_pm: np.ndarray
    cell_wall: np.ndarray
    cell_rotation_deg: np.ndarray
    cell_intensity: np.ndarray


@dataclass(frozen=True)
class Phantom:
    """A simulated image, its ground truth and its specimen."""

    image: Image
    truth: Truth
    specimen: Specimen
    seed: int


@dataclass(frozen=True)
class _Sites:
    """Columns of the whole crystal on its grids: A nodes (n+1, n+1), B columns (n, n)."""

    a_xy: np.ndarray
    b_xy: np.ndarray
    a_intensity: np.ndarray
    b_intensity: np.ndarray
    variant: np.ndarray
    wall: np.ndarray
    p_pm: np.ndarray
    rotation_deg: np.ndarray
    present: np.ndarray = field(repr=False)


def simulate_phantom(specimen: Specimen = Specimen(), seed: int = 0) -> Phantom:
    """Simulate an image of ``specimen``.

    Parameters
    ----------
    specimen : Specimen
        What to simulate.
    seed : int
        Seed of all random numbers: composition, scan, missing columns and counts.

    Returns
    -------
    Phantom
        Image (counts, pixel size set) and ground truth.

    Examples
    --------
    >>> p = simulate_phantom(Specimen(layout="halves", cells=10, cell_px=16), seed=1)
    >>> p.image.shape, sorted(set(p.truth.cell_variant.tolist()))
    ((160, 160), [0, 2])
    """
    rng = np.random.default_rng(seed)
    sites = _build(specimen, rng)
    side = round(specimen.cells * specimen.cell_px)
    scan = _scan(side, specimen, rng)
    xy = np.concatenate([sites.a_xy.reshape(-1, 2), sites.b_xy.reshape(-1, 2)])
    amplitude = np.concatenate(
        [(sites.a_intensity * sites.present).ravel(), sites.b_intensity.ravel()]
    )
    sigma = specimen.sigma_cells * specimen.cell_px
    counts = _exposed(_render(side, xy, amplitude, sigma, scan), specimen, rng)
    image = image_from_array(
        counts, pixel_size_nm=specimen.a_nm / specimen.cell_px, name=f"phantom-{specimen.layout}"
    )
    return Phantom(image, _truth(sites, side, sigma, scan), specimen, seed)


def simulate_second(
    phantom: Phantom,
    tilt_deg: float = 0.0,
    shift_px: tuple[float, float] = (0.0, 0.0),
    dose: float = 30.0,
    seed: int = 0,
) -> np.ndarray:
    """Simulate an annular bright-field image for a phantom: dark columns of A, B and oxygen, with
    octahedra rotated alternately about the beam.

    Parameters
    ----------
    phantom : Phantom
    tilt_deg : float
        Rotation of the octahedra in degrees; its sign alternates along both axes.
    shift_px : tuple of float
        Shift (x, y) of this channel relative to the other.
    dose : float
        Counts per pixel between the columns.
    seed : int
        Seed of the counts.

    Returns
    -------
    ndarray, shape (H, W)

    Examples
    --------
    >>> p = simulate_phantom(Specimen(cells=8, cell_px=16))
    >>> simulate_second(p, tilt_deg=5).shape
    (128, 128)
    """
    truth, specimen, side = phantom.truth, phantom.specimen, phantom.image.shape[0]
    is_a = truth.column_sublattice == "A"
    ij = truth.column_ij[is_a]
    node = np.full((*(ij.max(axis=0) + 1), 2), np.nan)
    node[tuple(ij.T)] = truth.column_xy[is_a]
    edges, oxygen = (np.diff(node, axis=1), np.diff(node, axis=0)), []
    for edge, begin, sign in zip(edges, (node[:, :-1], node[:-1]), (1, -1)):
        i, j = np.indices(edge.shape[:2])
        turn = sign * (-1.0) ** (i + j) * np.tan(np.deg2rad(tilt_deg))
        oxygen.append((begin + edge * (1 + turn[..., None]) / 2).reshape(-1, 2))
    columns = np.concatenate([truth.column_xy, *oxygen])
    depth = np.full(len(columns), _ABF[2])
    depth[: len(is_a)] = np.where(is_a, *_ABF[:2])
    seen = np.isfinite(columns[:, 0])
    sigma, still = specimen.sigma_cells * specimen.cell_px * _ABF[3], np.zeros((side, 2))
    dark = _render(side, columns[seen] + np.array(shift_px), depth[seen], sigma, still)
    rng = np.random.default_rng((seed, 2))
    return rng.poisson(dose * np.maximum(1 - dark, 0)).astype(np.float32)


@dataclass(frozen=True)
class FrameSeries:
    """Frames of one region: counts (n, H, W), and the shift (x, y) of each relative to the first,
    in px.
    """

    frames: np.ndarray
    drift_px: np.ndarray


def simulate_frames(
    specimen: Specimen, n: int, drift_px: float = 0.0, seed: int = 0
) -> FrameSeries:
    """Simulate frames of one specimen, each with its own scan and counts.

    Parameters
    ----------
    specimen : Specimen
        What to simulate; ``dose`` is that of a single frame.
    n : int
        Number of frames.
    drift_px : float
        Rms step along x, and along y, from frame to frame.
    seed : int
        That of the specimen; its crystal is that of :func:`simulate_phantom`.

    Returns
    -------
    FrameSeries

    Examples
    --------
    >>> simulate_frames(Specimen(cells=8, cell_px=12), 3, drift_px=1).frames.shape
    (3, 96, 96)
    """
    sites, rng = _build(specimen, np.random.default_rng(seed)), np.random.default_rng((seed, n))
    side = round(specimen.cells * specimen.cell_px)
    xy = np.concatenate([sites.a_xy.reshape(-1, 2), sites.b_xy.reshape(-1, 2)])
    amplitude = np.concatenate(
        [(sites.a_intensity * sites.present).ravel(), sites.b_intensity.ravel()]
    )
    steps = rng.normal(0, drift_px, (n, 2)) if drift_px else np.zeros((n, 2))
    drift = np.cumsum(steps, axis=0) - steps[0]
    sigma = specimen.sigma_cells * specimen.cell_px
    frames = np.empty((n, side, side), np.float32)
    for k in range(n):
        scan = _scan(side, specimen, rng) + drift[k]
        frames[k] = _exposed(_render(side, xy, amplitude, sigma, scan), specimen, rng)
    return FrameSeries(frames, drift)


def simulate_pair(specimen: Specimen, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Simulate two scans of one specimen, the second with its scan axes rotated by 90 degrees.

    Parameters
    ----------
    specimen : Specimen
    seed : int
        That of the specimen; its crystal is that of :func:`simulate_phantom`.

    Returns
    -------
    first, second : ndarray, shape (H, W)
        Counts; ``numpy.rot90(second)`` is upright.

    Examples
    --------
    >>> [scan.shape for scan in simulate_pair(Specimen(cells=8, cell_px=12))]
    [(96, 96), (96, 96)]
    """
    sites, rng = _build(specimen, np.random.default_rng(seed)), np.random.default_rng((seed, 90))
    side = round(specimen.cells * specimen.cell_px)
    xy = np.concatenate([sites.a_xy.reshape(-1, 2), sites.b_xy.reshape(-1, 2)])
    turned = np.stack([side - 1 - xy[:, 1], xy[:, 0]], axis=-1)
    amplitude = np.concatenate(
        [(sites.a_intensity * sites.present).ravel(), sites.b_intensity.ravel()]
    )
    sigma = specimen.sigma_cells * specimen.cell_px
    one, two = (
        _exposed(_render(side, at, amplitude, sigma, _scan(side, specimen, rng)), specimen, rng)
        for at in (xy, turned)
    )
    return one, two


def _build(specimen: Specimen, rng) -> _Sites:
    """Place all columns: layout -> smooth variant weights -> polarization, strain, intensities."""
    n = specimen.cells + 2 * _PAD
    weights, wall = _variant_weights(specimen, n)
    variant = np.argmax(weights, axis=0)
    strip = _substrate_weight(specimen, n)
    variant = np.where(strip > 0.5, -1, variant)
    p_pm = np.einsum("vij,vk->ijk", weights, VARIANTS) * specimen.polarization_pm / np.sqrt(2)
    p_pm *= (1 - strip)[..., None]
    shear = np.einsum("vij,v->ij", weights, VARIANTS.prod(axis=1)) * specimen.shear * (1 - strip)
    nodes, rotation = _nodes(specimen, shear, strip)
    angle = np.deg2rad(specimen.rotation_deg)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = specimen.cells * specimen.cell_px / 2
    a_xy = (nodes - n / 2) @ matrix * specimen.cell_px + middle
    p_pm = p_pm @ matrix
    mistilt = specimen.mistilt_pm * _smooth_noise((n, n, 2), n / 2, rng)
    b_xy = corner_mean(a_xy) + (p_pm + mistilt) / specimen.pm_per_px
    a_int, b_int = _intensities(specimen, strip, rng)
    present = rng.random(a_int.shape) >= specimen.missing
    return _Sites(
        a_xy, b_xy, a_int, b_int, variant, wall, p_pm, rotation + specimen.rotation_deg, present
    )


def _variant_weights(specimen: Specimen, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Share of every variant in every cell, and distance to the nearest wall in cells."""
    fine = 4 if n < 300 else 2
    at = (np.arange(n * fine) + 0.5) / fine - _PAD
    y, x = np.meshgrid(at / specimen.cells, at / specimen.cells, indexing="ij")
    label = layout_variants(specimen.layout, x, y)
    distance = np.stack(
        [
            _signed_distance(label == v)[fine // 2 :: fine, fine // 2 :: fine] / fine
            for v in range(4)
        ]
    )
    # two variants: (1 + tanh(d / w)) / 2
    score = np.exp(-np.clip(distance / specimen.wall_cells, -40, 40))
    wall = np.abs(distance).min(axis=0)
    return score / score.sum(axis=0), wall


def _signed_distance(inside: np.ndarray) -> np.ndarray:
    """Distance to the boundary of a region: negative inside; far if full or empty."""
    if inside.all() or not inside.any():
        return np.full(inside.shape, -1e3 if inside.all() else 1e3)
    outer, inner = (ndimage.distance_transform_edt(part) for part in (~inside, inside))
    # between centers of points on either side; the boundary lies half a point nearer
    return np.where(inside, 0.5 - inner, outer - 0.5)


def _substrate_weight(specimen: Specimen, n: int) -> np.ndarray:
    """1 in the substrate strip at the left, 0 in the film, over about one cell."""
    edge = specimen.substrate * specimen.cells
    x = np.arange(n) + 0.5 - _PAD
    weight = 0.5 * (1 - np.tanh((x - edge) / 0.6)) if specimen.substrate > 0 else np.zeros(n)
    return np.broadcast_to(weight, (n, n))


def _nodes(
    specimen: Specimen, shear: np.ndarray, strip: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the A nodes in cells, and the local lattice rotation in degrees."""
    n = shear.shape[0]
    eigen = np.zeros((n, n, 2, 2))
    eigen[..., 0, 1] = eigen[..., 1, 0] = shear
    eigen[..., 0, 0] = -specimen.misfit * strip
    u = compatible_displacement(eigen)
    y, x = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
    bend = np.deg2rad(specimen.bend_deg) / (specimen.cells / 2)
    dx, dy = x - n / 2, y - n / 2
    u[..., 0] -= bend * dx * dy
    u[..., 1] += bend * dx**2 / 2
    gradient = cell_gradient(u)
    rotation = np.rad2deg(gradient[..., 1, 0] - gradient[..., 0, 1]) / 2
    return np.stack([x, y], axis=-1) + u, rotation


def _smooth_noise(shape, scale: float, rng) -> np.ndarray:
    """Random field, smooth over ``scale`` cells along the first two axes, scaled to -1..1."""
    smooth = [scale, scale] + [0] * (len(shape) - 2)
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), smooth, mode="wrap")
    noise -= noise.mean(axis=(0, 1))
    return noise / np.abs(noise).max()


def _intensities(specimen: Specimen, strip: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
    """Amplitudes of A (by Sm content) and B columns, relative to an A column of the film."""
    n = strip.shape[0]
    composition = 1 + specimen.composition * _smooth_noise(
        (n + 1, n + 1), specimen.composition_cells, rng
    )
    a_strip, b_strip = np.pad(strip, ((0, 1), (0, 1)), mode="edge"), strip
    a = composition * (1 - (1 - _STO[0]) * a_strip)
    b = specimen.b_intensity * (1 - (1 - _STO[1]) * b_strip)
    return a, b


def _scan(side: int, specimen: Specimen, rng) -> np.ndarray:
    """Displacement (x, y) in px of every scan row: jitter and faults along x, slow drift."""
    drift = ndimage.gaussian_filter1d(rng.standard_normal((side, 2)), side / 6, axis=0)
    drift *= specimen.drift_px / np.abs(drift).max()
    jitter = rng.normal(0, specimen.jitter_px, side)
    if specimen.jitter_rows > 0:
        jitter = ndimage.gaussian_filter1d(jitter, specimen.jitter_rows)
        jitter *= specimen.jitter_px / jitter.std()
    drift[:, 0] += jitter + _faults(side, specimen, rng)
    return drift


def _faults(side: int, specimen: Specimen, rng) -> np.ndarray:
    """Displacement (px) along x of every scan row by hum, jumps and flyback."""
    row, shift = np.arange(side), np.zeros(side)
    if specimen.hum_px > 0:
        shift += specimen.hum_px * np.sin(2 * np.pi * (row / specimen.hum_rows + rng.random()))
    if specimen.jumps > 0:
        steps = rng.normal(0, specimen.jump_px, specimen.jumps)
        shift += steps @ (row >= rng.uniform(0, side, (specimen.jumps, 1)))
    if specimen.flyback_px > 0:
        late = (rng.random(side) < _LATE[0]) * rng.exponential(specimen.flyback_px, side)
        shift += np.convolve(late, np.exp(-np.arange(20) / _LATE[1]))[:side]
    return shift


def _exposed(ideal: np.ndarray, specimen: Specimen, rng) -> np.ndarray:
    """Counts of an image on its background, unevenly illuminated, in place, band by band."""
    gain = _illumination(len(ideal), specimen.illumination)
    for rows in row_bands(ideal.shape):
        expected = (
            (ideal[rows] + np.float32(specimen.background)) * gain(rows) * np.float32(specimen.dose)
        )
        ideal[rows] = rng.poisson(expected)
    return ideal


def _illumination(side: int, strength: float):
    """Slowly varying gain of any rows, 1 on average."""
    t = np.linspace(-0.5, 0.5, side, dtype=np.float32)
    return lambda rows: (
        1
        + np.float32(strength) * (t[rows, None] * 0.6 + t[None] - t[None] ** 2 + np.float32(1 / 12))
    )


def _render(
    side: int, xy: np.ndarray, amplitude: np.ndarray, sigma: float, scan: np.ndarray
) -> np.ndarray:
    """Sum of Gaussian columns on the pixel grid, every row displaced by the scan."""
    image = np.zeros(side * side, np.float32)
    half = int(np.ceil(4.5 * sigma + np.abs(scan).max()))
    inside = np.all((xy > -half) & (xy < side + half), axis=1) & (amplitude > 0)
    xy, amplitude = xy[inside], amplitude[inside]
    step = np.arange(-half, half + 1)
    for part in np.array_split(np.arange(len(xy)), max(1, len(xy) * step.size**2 // 4_000_000)):
        rows = np.rint(xy[part, 1]).astype(int)[:, None] + step
        cols = np.rint(xy[part, 0]).astype(int)[:, None] + step
        shift = scan[np.clip(rows, 0, side - 1)]
        gy = amplitude[part, None] * np.exp(
            -((rows - xy[part, 1:] - shift[..., 1]) ** 2) / (2 * sigma**2)
        )
        x0 = (xy[part, :1] + shift[..., 0])[..., None]
        gx = np.exp(-((cols[:, None, :] - x0).astype(np.float32) ** 2) / np.float32(2 * sigma**2))
        keep = ((rows >= 0) & (rows < side))[:, :, None] & ((cols >= 0) & (cols < side))[:, None, :]
        flat = (rows[:, :, None] * side + cols[:, None, :])[keep]
        # a part holds few rows of columns: only those of the image are added to
        first = flat.min(initial=image.size - 1)
        light = np.bincount(flat - first, (gx * gy[..., None])[keep]).astype(np.float32)
        image[first : first + light.size] += light
    return image.reshape(side, side)


def _truth(sites: _Sites, side: int, sigma: float, scan: np.ndarray) -> Truth:
    """Collect what lies inside the frame, at the positions where the scan shows it."""
    a, b = (_apparent(xy, sigma, scan) for xy in (sites.a_xy, sites.b_xy))
    seen_a = _in_frame(a, side) & sites.present
    seen_b = _in_frame(b, side)
    whole = seen_b & seen_a[:-1, :-1] & seen_a[1:, :-1] & seen_a[:-1, 1:] & seen_a[1:, 1:]
    ij = [np.argwhere(s) for s in (seen_a, seen_b)]
    return Truth(
        column_xy=np.concatenate([a[seen_a], b[seen_b]]),
        column_sublattice=np.repeat(["A", "B"], [seen_a.sum(), seen_b.sum()]),
        column_ij=np.concatenate(ij),
        cell_xy=corner_mean(a)[whole],
        cell_ij=np.argwhere(whole),
        cell_variant=sites.variant[whole],
        cell_p_pm=sites.p_pm[whole],
        cell_wall=sites.wall[whole],
        cell_rotation_deg=sites.rotation_deg[whole],
        cell_intensity=corner_mean(sites.a_intensity[..., None])[whole][:, 0],
    )


def _apparent(xy: np.ndarray, sigma: float, scan: np.ndarray) -> np.ndarray:
    """Add to each position the scan displacement, averaged over the rows of its column."""
    mean = ndimage.gaussian_filter1d(scan, sigma, axis=0, mode="nearest")
    rows = np.clip(xy[..., 1], 0, len(scan) - 1)
    return xy + np.stack(
        [np.interp(rows, np.arange(len(scan)), mean[:, k]) for k in range(2)], axis=-1
    )


def _in_frame(xy: np.ndarray, side: int) -> np.ndarray:
    return np.all((xy >= 0) & (xy <= side - 1), axis=-1)


def true_label_map(truth: Truth, cells: Cells, mask: np.ndarray) -> np.ndarray:
    """The true variant of every analyzed cell, on the grid found in the image.

    Parameters
    ----------
    truth : Truth
    cells : Cells
        Cells of the image's lattice, matched to the true ones by position.
    mask : ndarray of bool, shape (R, C)

    Returns
    -------
    ndarray of int, shape (R, C)
        Variant; -1 outside the mask, in the substrate, and where there is no true cell within a
        third of a cell.
    """
    distance, nearest = cKDTree(truth.cell_xy).query(cells.xy[mask])
    variants = np.full(mask.shape, -1)
    variants[mask] = np.where(distance < cells.basis.cell_px / 3, truth.cell_variant[nearest], -1)
    return variants


def save_phantom(phantom: Phantom, path: str | Path) -> None:
    """Write a phantom to HDF5: dataset ``image`` and group ``truth``; read the image back with
    ``images.read``.

    Parameters
    ----------
    phantom : Phantom
    path : str or Path
        File to write; an existing file is replaced only once the new one is complete.
    """
    with atomic(path) as part, h5py.File(part, "w", locking=False) as file:
        data = file.create_dataset(
            "image", data=phantom.image.data, compression="gzip", compression_opts=1
        )
        data.attrs["pixel_size_nm"] = phantom.image.pixel_size_nm
        for name, value in vars(phantom.truth).items():
            value = value.astype("S1") if value.dtype.kind == "U" else value
            file.create_dataset(f"truth/{name}", data=value)
        file.attrs.update(vars(phantom.specimen) | {"seed": phantom.seed})


def load_truth(path: str | Path) -> Truth | None:
    """Read the ground truth of a phantom file; ``None`` if the file has none.

    Parameters
    ----------
    path : str or Path
        File written by :func:`save_phantom`, or any other image file.

    Returns
    -------
    Truth or None
    """
    with open(path, "rb") as stream:
        if stream.read(8) != _HDF5:
            return None
    with opened(Path(path)) as file:
        if any(f"truth/{name}" not in file for name in Truth.__dataclass_fields__):
            return None
        check_hdf5(file)
        values = {name: file[f"truth/{name}"][()] for name in Truth.__dataclass_fields__}
    values["column_sublattice"] = values["column_sublattice"].astype("U1")
    return Truth(**values)
