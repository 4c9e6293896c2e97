"""Frames of one area, aligned and averaged: first rigid drift, then the rows of every frame."""

from dataclasses import dataclass, field

import numpy as np
from numpy.polynomial import legendre
from scipy import fft, ndimage

from ..compute import row_bands
from ..errors import InputError

_PAD = 32  # px by which rows are continued, mirrored, before they are displaced
_ROUNDS = 3  # of registration against the mean of the other frames
_LIKELY = 0.9  # of the highest correlation: a nearer maximum of this height is the drift
_SMOOTH = 1.0  # px: sigma of the filter before frames are correlated
_SLOW = 8  # parts of the frame's side: coarser background is left out of the correlation
_MARGIN = 8  # px at the rim that no registration looks at
_SCAN = 1.3  # variance of row displacements over their error, from which on rows are moved
_COVERED = 0.5  # of the frames must see a pixel
_PATCH = 64, 16  # px: side of the patches that two scans are compared in; a 16th of large ones
_PATCH_LIKELY = 0.6  # as _LIKELY, for a patch
_PAIR_DEGREE = 8  # of the drift along the slow axis of a scan, at most
_ALIKE = 0.3  # correlation of two scans of one place, at least
_SURE = 0.95  # and from which on another match of theirs is not tried
_SAME = 0.9999  # and of one scan with itself
LEAST_HALVES = 4  # frames from which on two halves are made of them


@dataclass(frozen=True, eq=False)
class FrameAverage:
    """Average of aligned frames.

    Attributes
    ----------
    mean : ndarray of float32, shape (H, W)
        Mean of the aligned frames, in the place of the first; NaN where fewer than half of them
        look.
    halves : ndarray of float32, shape (2, H, W), or None
        Means of every other frame, whose noise is independent, from four frames on.
    drift_px : ndarray, shape (n, 2)
        How far (x, y) every frame lies off the first.
    row_rms_px : float
        Displacement (rms) of single rows of the frames that was undone; 0 where none stands out.
    """

    mean: np.ndarray
    halves: np.ndarray | None
    drift_px: np.ndarray
    row_rms_px: float = field(default=0.0)


def frame_numbers(text: str, n: int) -> list[int]:
    """Numbers of the requested frames.

    Parameters
    ----------
    text : str
        "" for all, ``7`` for one, ``0:20`` or ``0:20:2`` for a range (end not included).
    n : int
        How many there are.

    Returns
    -------
    list of int

    Raises
    ------
    InputError
        For what is neither, or names frames that are not there.

    Examples
    --------
    >>> frame_numbers("2:5", 9), frame_numbers("7", 9), len(frame_numbers("", 9))
    ([2, 3, 4], [7], 9)
    """
    parts = text.split(":") if text else [""]
    if len(parts) > 3 or not all(p.strip().isdigit() or not p.strip() for p in parts):
        raise InputError(
            f"--frames '{text}': give a number such as 7, or a range such as 0:20 (each is for bfo"
            " analyze)"
        )
    numbers = [int(p) if p.strip() else None for p in parts]
    if len(parts) == 1:
        chosen = range(n) if numbers[0] is None else range(numbers[0], numbers[0] + 1)
    else:
        start, stop, step = (*numbers, None)[:3]
        chosen = range(start or 0, n if stop is None else stop, step or 1)
    if not chosen or chosen[-1] >= n:
        raise InputError(
            f"--frames '{text}': the file contains frames 0 to {n - 1}; give some of them"
        )
    return list(chosen)


def average_frames(frames: np.ndarray) -> FrameAverage:
    """Align frames and average them.

    The drift is found by correlation with the mean so far, where maxima of similar height (a
    lattice correlates with itself a cell away) are told apart by the step from the frame before,
    and refined by least squares against the mean of the others. Then every row of every frame is
    moved along the fast axis as far as the mean says, shrunk by the error of that step.

    Parameters
    ----------
    frames : ndarray, shape (n, H, W)

    Returns
    -------
    FrameAverage

    Examples
    --------
    >>> from bfo_utils.simulation import Specimen, simulate_frames
    >>> still = Specimen(cells=10, cell_px=16, dose=20, drift_px=0, jitter_px=0)
    >>> taken = simulate_frames(still, 6, drift_px=2, seed=1)
    >>> found = average_frames(taken.frames)
    >>> float(np.abs(found.drift_px - taken.drift_px).max()) < 0.2
    True
    """
    frames = np.asarray(frames, np.float32)
    n = len(frames)
    if n == 1:
        return FrameAverage(frames[0], None, np.zeros((1, 2)))
    drift, rows = _coarse_drift(frames), np.zeros((n, frames.shape[1]))
    placed = np.stack([_placed(f, -d, r) for f, d, r in zip(frames, drift, rows)])
    for _ in range(_ROUNDS):
        total = placed.sum(axis=0)
        for k in range(n):
            others = (total - placed[k]) / (n - 1)
            drift[k] -= _step(placed[k], others, np.abs(drift).max())
        drift -= drift[0]
        placed = np.stack([_placed(f, -d, r) for f, d, r in zip(frames, drift, rows)])
    reach, straight, rows = float(np.abs(drift).max()), placed, np.zeros((n, 1))
    axis = _scan_axis(placed, reach)
    for _ in range(_ROUNDS if axis else 0):
        rows = _row_displacements(placed, straight, axis, reach)
        straight = np.stack([_moved(p, r, axis) for p, r in zip(placed, rows)])
    return _averaged(straight, drift, float(rows.std()))


def _averaged(placed: np.ndarray, drift: np.ndarray, row_rms: float) -> FrameAverage:
    """Means of aligned frames where enough of them look."""
    n, height, width = placed.shape
    seen = np.stack([_covered((height, width), -d) for d in drift])
    placed = np.where(seen, placed, 0)
    count = seen.sum(axis=0)
    enough = count >= max(1, _COVERED * n)
    mean = np.where(enough, placed.sum(axis=0) / np.maximum(count, 1), np.nan).astype(np.float32)
    halves = None
    if n >= LEAST_HALVES:
        halves = np.stack(
            [placed[k::2].sum(axis=0) / np.maximum(seen[k::2].sum(axis=0), 1) for k in (0, 1)]
        ).astype(np.float32)
    return FrameAverage(mean, halves, drift, row_rms)


def _covered(shape: tuple[int, int], shift: np.ndarray) -> np.ndarray:
    """Pixels that a frame moved by a shift (x, y) covers."""
    inside = np.ones(shape, bool)
    for axis, move in ((1, shift[0]), (0, shift[1])):
        at = np.arange(shape[axis])
        own = (at >= move) & (at <= shape[axis] - 1 + move)
        inside &= own if axis else own[:, None]
    return inside


def _coarse_drift(frames: np.ndarray) -> np.ndarray:
    """Whole-pixel drift of every frame against the first."""
    spectra = [_spectrum(frame) for frame in frames]
    shape, total = frames.shape[1:], spectra[0].copy()
    drift = np.zeros((len(frames), 2))
    ky, kx = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None]
    for k in range(1, len(frames)):
        likeness = fft.irfft2(spectra[k] * np.conj(total), shape)
        drift[k] = _likely_peak(likeness, drift[k - 1])
        total += spectra[k] * np.exp(2j * np.pi * (kx * drift[k][0] + ky * drift[k][1]))
    return drift


def _spectrum(frame: np.ndarray) -> np.ndarray:
    """Fourier transform of a frame without background and rim, its noise smoothed."""
    size = max(1, min(frame.shape) // _SLOW)
    smooth = ndimage.gaussian_filter(frame, _SMOOTH)
    window = np.hanning(frame.shape[0])[:, None] * np.hanning(frame.shape[1])
    return fft.rfft2((smooth - ndimage.uniform_filter(frame, size)) * window)


def _likely_peak(likeness: np.ndarray, before: np.ndarray, likely: float = _LIKELY) -> np.ndarray:
    """The maximum (x, y) nearest to the last one, of those that are about as high as the
    highest.
    """
    tops = (likeness == ndimage.maximum_filter(likeness, 5, mode="wrap")) & (
        likeness > likely * likeness.max()
    )
    shape = np.array(likeness.shape)
    at = np.argwhere(tops)
    at = (at + shape // 2) % shape - shape // 2
    xy = at[:, ::-1].astype(float)
    return xy[np.argmin(((xy - before) ** 2).sum(axis=1))]


def _placed(frame: np.ndarray, shift: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """A frame moved by (x, y) in px."""
    down = displace_rows(frame.T, np.full(frame.shape[1], shift[1])).T
    return displace_rows(np.ascontiguousarray(down), rows + shift[0])


def _moved(frame: np.ndarray, rows: np.ndarray, axis: str) -> np.ndarray:
    """A frame with its rows along an axis moved back."""
    turn = np.transpose if axis == "y" else np.asarray
    return turn(displace_rows(np.ascontiguousarray(turn(frame)), -rows))


def _inner(values: np.ndarray, reach: float) -> np.ndarray:
    margin = int(min(_MARGIN + np.ceil(reach), min(values.shape) // 4))
    return values[margin:-margin, margin:-margin]


def _step(frame: np.ndarray, others: np.ndarray, reach: float) -> np.ndarray:
    """The move (x, y) that takes a frame onto the mean of the others, by least squares."""
    slope = [_inner(g, reach).ravel() for g in np.gradient(others)[::-1]]
    rest = _inner(frame - others, reach).ravel()
    design = np.stack([*slope, np.ones_like(rest), _inner(others, reach).ravel()])
    return np.linalg.solve(design @ design.T, design @ rest)[:2]


def _scan_axis(placed: np.ndarray, reach: float) -> str:
    """The axis along which rows of the frames are displaced by more than their error; "" for
    none.
    """
    excess = {}
    for axis in ("x", "y"):
        found, error = _rows_against(placed, placed, axis, reach)
        excess[axis] = float(found.var() / error.mean())
    best = max(excess, key=lambda axis: excess[axis])
    return best if excess[best] > _SCAN else ""


def _row_displacements(
    placed: np.ndarray, straight: np.ndarray, axis: str, reach: float
) -> np.ndarray:
    """Displacement of every row of every frame along an axis against the mean of the other frames,
    whose rows were moved already, shrunk by its error.
    """
    found, error = _rows_against(placed, straight, axis, reach)
    true = max(float(found.var() - error.mean()), 0.0)
    return found * true / (true + error)


def _rows_against(
    placed: np.ndarray, straight: np.ndarray, axis: str, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """How far the rows of every frame lie along an axis off the mean of the others, and the
    variance of that (px2).
    """
    if axis == "y":
        placed, straight = placed.transpose(0, 2, 1), straight.transpose(0, 2, 1)
    total, n = straight.sum(axis=0), len(placed)
    found, error = np.empty(placed.shape[:2]), np.empty(placed.shape[:2])
    margin = int(_MARGIN + np.ceil(reach))
    inside = slice(margin, -margin)
    for k, frame in enumerate(placed):
        others = (total - straight[k]) / (n - 1)
        slope = np.gradient(others, axis=1)[:, inside]
        rest = (frame - others)[:, inside]
        rest = rest - rest.mean(axis=1, keepdims=True)
        weight = np.maximum((slope**2).sum(axis=1), 1e-30)
        found[k] = -(slope * rest).sum(axis=1) / weight
        left = rest + slope * found[k][:, None]
        error[k] = ((slope * left) ** 2).sum(axis=1) / weight**2
    return found, error


@dataclass(frozen=True, eq=False)
class PairAverage:
    """Average of two scans at 90 degrees.

    Attributes
    ----------
    mean : ndarray of float32, shape (H, W)
        Mean of both without their drift, in the place of the first; NaN where one does not look.
    halves : ndarray of float32, shape (2, H, W)
        Both scans without their drift.
    drift_px : ndarray, shape (2, 2)
        Drift (rms; x, y in the frame of the first) that was removed from each.
    turn_deg : int
        By which the second had to be rotated: 90 or -90 degrees, counterclockwise as seen.
    correlation : float
        Of the two where columns are, once their drift is removed.
    """

    mean: np.ndarray
    halves: np.ndarray
    drift_px: np.ndarray
    turn_deg: int
    correlation: float


def average_pair(first: np.ndarray, second: np.ndarray) -> PairAverage:
    """Remove the drift of two scans of one place whose scan axes lie at 90 degrees, and average
    them.

    Drift displaces a row of a scan as a whole: f(y) in the first, g(x) in the second once it is
    rotated back. So the displacement between the two is a function of y minus a function of x,
    which tells both but for a constant (Ophus, Ciston and Nelson, Ultramicroscopy 162, 2016).

    Parameters
    ----------
    first, second : ndarray, shapes (H, W) and (W, H)

    Returns
    -------
    PairAverage

    Raises
    ------
    InputError
        If the second has another shape, or does not show the same place.

    Examples
    --------
    >>> from bfo_utils.simulation import Specimen, simulate_pair
    >>> drifting = Specimen(cells=16, cell_px=16, dose=100, drift_px=5)
    >>> found = average_pair(*simulate_pair(drifting, seed=2))
    >>> found.turn_deg, found.correlation > 0.8
    (90, True)
    """
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    if second.T.shape != first.shape:
        raise InputError(
            f"is {second.shape[1]} x {second.shape[0]} px; rotated by 90 degrees this is not"
            f" {first.shape[1]} x {first.shape[0]} px; give the other scan of the pair"
        )
    upright = {90 * k: np.ascontiguousarray(np.rot90(second, k)) for k in (1, -1)}
    found = [_paired(first, scan, turn) for turn, scan in upright.items()]
    best = max(found, key=lambda pair: pair.correlation)
    if best.correlation < _SURE:  # the whole frames may have been matched some cells off
        near = _paired(first, upright[best.turn_deg], best.turn_deg, np.zeros(2))
        best = max(best, near, key=lambda pair: pair.correlation)
    if best.correlation > _SAME:
        raise InputError("contains the same values; give a second, independent scan")
    if best.correlation < _ALIKE:
        raise InputError(
            "does not show the same area rotated by 90 degrees (correlation"
            f" {best.correlation:.2f}; {_ALIKE} is needed); give the other scan of the pair"
        )
    return best


def _paired(
    first: np.ndarray, second: np.ndarray, turn_deg: int, start: np.ndarray | None = None
) -> PairAverage:
    """The average of two scans that are upright, about so far (x, y; px) apart in the middle; where
    that is not said, as their correlation says.
    """
    centers = _patches(first.shape)
    if start is None:
        whole = fft.irfft2(_spectrum(second) * np.conj(_spectrum(first)), first.shape)
        start = _likely_peak(whole, np.zeros(2))
    apart = _apart(_band_passed(first), _band_passed(second), centers, start)
    for _ in range(_ROUNDS):
        drifts = _two_drifts(centers, apart, first.shape)
        one, two = (_undrifted(s, d) for s, d in zip((first, second), drifts))
        apart = apart + _residual_steps(one, two, centers)
    drifts = _two_drifts(centers, apart, first.shape)
    halves = np.stack([_undrifted(s, d) for s, d in zip((first, second), drifts)])
    one, two = (_band_passed(np.nan_to_num(h, nan=float(np.nanmean(h)))) for h in halves)
    known = np.isfinite(halves).all(axis=0)
    mean = np.where(known, halves.mean(axis=0), np.nan).astype(np.float32)
    rms = np.array([np.sqrt((d**2).mean(axis=(0, 1))) for d in drifts])
    likeness = float(np.corrcoef(one[known], two[known])[0, 1])
    halves = np.where(np.isfinite(halves), halves, np.nanmedian(halves)).astype(np.float32)
    return PairAverage(mean, halves, rms, turn_deg, likeness)


def _band_passed(frame: np.ndarray) -> np.ndarray:
    """A frame without its background, its noise smoothed."""
    size = max(1, min(frame.shape) // _SLOW)
    return ndimage.gaussian_filter(frame, _SMOOTH) - ndimage.uniform_filter(frame, size)


def _side(shape: tuple[int, ...]) -> int:
    """Side of a patch."""
    return max(_PATCH[0], min(shape) // _PATCH[1])


def _patches(shape: tuple[int, int]) -> np.ndarray:
    """Centers (n, 2; x, y) of patches that cover a frame, the middle one first."""
    half, n = _side(shape) // 2, np.maximum(2, 2 * (np.array(shape) // _side(shape)))
    y, x = (np.linspace(half, side - half - 1, k).round() for side, k in zip(shape, n))
    centers = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    away = np.hypot(*(centers - np.array(shape[::-1]) / 2).T)
    return centers[np.argsort(away, kind="stable")].astype(int)


def _inside(shape: tuple[int, ...], center: np.ndarray) -> tuple[int, np.ndarray]:
    """Half the side of a patch, and the center (x, y) at which it lies inside the frame."""
    half = min(_side(shape) // 2, *(side // 2 for side in shape))
    return half, np.clip(center, half, np.array(shape[::-1]) - half)


def _cut(frame: np.ndarray, center: np.ndarray) -> np.ndarray:
    half, (x, y) = _inside(frame.shape, center)
    return frame[y - half : y + half, x - half : x + half]


def _apart(
    first: np.ndarray, second: np.ndarray, centers: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """How far (n, 2) the second scan lies off the first in every patch, in whole px.

    A lattice correlates with itself a cell away: of similar maxima the one nearest to the patch
    before counts, from the start in the middle outwards.
    """
    found = np.empty((len(centers), 2))
    for k, center in enumerate(centers):
        near = np.argmin(((centers[:k] - center) ** 2).sum(axis=1)) if k else 0
        before = found[near] if k else start
        # displaced as the neighbor is: far from the middle the window hides the right maximum
        at = [_inside(first.shape, c)[1] for c in (center, center + before.astype(int))]
        moved = at[1] - at[0]
        one, two = (_cut(f, c) * _window(_cut(f, c).shape) for f, c in zip((first, second), at))
        likeness = fft.irfft2(fft.rfft2(two) * np.conj(fft.rfft2(one)), one.shape)
        found[k] = moved + _likely_peak(likeness, before - moved, _PATCH_LIKELY)
    return found


def _window(shape: tuple[int, int]) -> np.ndarray:
    return np.hanning(shape[0])[:, None] * np.hanning(shape[1])


def _residual_steps(first: np.ndarray, second: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """How far (n, 2) the second scan still lies off the first in every patch, by least squares."""
    one, two = (
        ndimage.gaussian_filter(np.nan_to_num(f, nan=float(np.nanmean(f))), _SMOOTH)
        for f in (first, second)
    )
    return np.array([-_step(_cut(two, c), _cut(one, c), 0.0) for c in centers])


def _two_drifts(
    centers: np.ndarray, apart: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Drift of both scans, (H, 1, 2) and (1, W, 2), whose difference the patches show; robust."""
    sides = np.array(shape[::-1])
    degrees = np.clip(2 * sides // _side(shape) - 1, 1, _PAIR_DEGREE)

    def basis(at: np.ndarray, axis: int) -> np.ndarray:
        return legendre.legvander(2 * at / (sides[axis] - 1) - 1, degrees[axis])

    in_y, in_x = basis(centers[:, 1], 1), basis(centers[:, 0], 0)
    design, weight = np.hstack([in_y, -in_x[:, 1:]]), np.ones((len(centers), 1))
    terms = np.zeros((design.shape[1], 2))
    for _ in range(_ROUNDS):
        terms = np.linalg.lstsq(weight * design, weight * apart, rcond=None)[0]
        off = np.linalg.norm(apart - design @ terms, axis=1, keepdims=True)
        weight = np.sqrt(1 / np.maximum(1, off / np.maximum(1.5 * np.median(off), 1e-6)))
    constant, n = terms[:1].copy(), in_y.shape[1]
    first = basis(np.arange(shape[0]), 1)[:, 1:] @ terms[1:n]
    second = basis(np.arange(shape[1]), 0)[:, 1:] @ terms[n:] - constant
    return first[:, None], second[None]


def _undrifted(frame: np.ndarray, drift: np.ndarray) -> np.ndarray:
    """A frame with its drift undone; NaN where it does not look.

    What lies at r lies at r - drift in the scan.
    """
    y, x = np.indices(frame.shape)
    at = np.stack([y - drift[..., 1], x - drift[..., 0]])
    return ndimage.map_coordinates(frame, at, order=5, mode="constant", cval=np.nan)


def displace_rows(data: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Move every row of an array along itself: out(x, y) = data(x - s(y), y).

    Rows are continued by their mirror image and moved by the phase of their Fourier transform,
    which leaves the noise white.

    Parameters
    ----------
    data : ndarray, shape (H, W)
    displacement : ndarray, shape (H,)
        s in px.

    Returns
    -------
    ndarray of float32, shape (H, W)

    Examples
    --------
    >>> wave = np.cos(2 * np.pi * np.arange(64) / 16)
    >>> moved = displace_rows(np.stack([wave, wave]), np.array([0, 4]))
    >>> float(np.abs(moved[1, 8:56] - np.sin(2 * np.pi * np.arange(8, 56) / 16)).max()) < 0.05
    True
    """
    width = data.shape[1]
    size = fft.next_fast_len(width + 2 * _PAD, real=True)
    # a wave of every frequency is one of every 64th times one of the first 64: few exponentials
    fine, coarse = (np.arange(n) * k / size for n, k in ((64, 1), (size // 128 + 1, 64)))
    out = np.empty(data.shape, np.float32)
    for rows in row_bands(data.shape):
        wide = np.pad(data[rows], ((0, 0), (_PAD, size - width - _PAD)), mode="symmetric").astype(
            np.float32
        )
        one, two = (
            np.exp(-2j * np.pi * f * displacement[rows, None]).astype(np.complex64)
            for f in (fine, coarse)
        )
        waves = fft.rfft(wide, axis=1)
        waves *= (two[:, :, None] * one[:, None]).reshape(len(waves), -1)[:, : size // 2 + 1]
        out[rows] = fft.irfft(waves, size, axis=1)[:, _PAD : _PAD + width]
    return out
