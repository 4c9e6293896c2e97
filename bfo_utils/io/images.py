"""Images in the one form that every step expects: a plane of float32 values, its valid pixels
and its pixel size.
"""

import hashlib
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..compute import row_bands
from ..errors import InputError, as_input_error, check_text
from .calibration import PixelSize, by_lattice, checked_lattice_nm, checked_nm
from .frames import FrameAverage, PairAverage, average_frames, average_pair, frame_numbers
from .given import GivenCell, read_cell, read_positions, region_pixels
from .readers import open_arrays, without_reader_warnings
from .stored import (
    CHANNELS,
    MIN_SIDE,
    StoredArray,
    check_axes,
    check_kind,
    choose,
    is_stack,
    others,
    squeezed,
)

_MEDIAN_OF = 2**25  # px: the median of a larger image is that of every n-th row
_NOISE_OF = 500_000  # px that the noise, and the range of the gray levels, is estimated from
_STEPS = 32  # of the rounding of the input's own type: a range of fewer holds no contrast any more
# Ranges of values outside are brought to 1 by a power of two, so that squares and sums fit.
_COMFORT = (1e-6, 1e9)
# Of the range of the gray levels, and of the noise: a hot pixel exceeds its neighbors by both.
_SPIKE = (2.5, 14)
_OFF_SCALE = 4  # times that range beyond it lie no columns
_SAME_SIZE = 0.02  # relative difference of the pixel sizes of two channels
CONTRASTS = ("auto", "bright", "dark")
_FILES = ("mask", "exclude", "columns", "pair", "cell")  # arguments of a reading that name files
_TINT = 4  # gray levels of 256 by which the colors of a gray picture differ once it was compressed


@dataclass(frozen=True)
class Reading:
    """What is taken of a file, and what is known of it besides: the arguments of `read_image`.

    Attributes
    ----------
    pixel_size_nm : float or None
        Nanometers per pixel; overrides the file.
    dataset : str or None
        Name or title of the image, where the file holds several.
    lattice_nm : float or None
        Edge of the known (pseudo-cubic) cell in nm, which gives the pixel size where there is none.
    frames : str
        Which frames of a stack are averaged, see `frame_numbers`; "" for all.
    contrast : {"auto", "bright", "dark"}
        Whether columns are brighter (HAADF) or darker (ABF, BF) than what lies between them.
    roi, mask, exclude : str
        The part of the image that is looked at, see `region_pixels`.
    columns : str
        File of the positions of the columns, which are then not looked for, see `read_positions`.
    refine : bool
        Whether they are where the fits begin, instead of taken as they are.
    second : str
        Another channel of the same scan that shows oxygen: a file, or a dataset of the same file.
    pair : str
        File of a second scan of the place with the scan axes at 90 degrees, see `average_pair`.
    cell : str
        File of the cell of the crystal, where it is not found by itself, see `read_cell`.

    Examples
    --------
    >>> Reading(roi="0:200,0:100").files
    {}
    """

    pixel_size_nm: float | None = None
    dataset: str | None = None
    lattice_nm: float | None = None
    frames: str = ""
    contrast: str = "auto"
    roi: str = ""
    mask: str = ""
    exclude: str = ""
    columns: str = ""
    refine: bool = False
    second: str = ""
    pair: str = ""
    cell: str = ""

    def __post_init__(self):
        checked_nm(self.pixel_size_nm)
        checked_lattice_nm(self.lattice_nm)
        if self.contrast not in CONTRASTS:
            raise InputError(
                f"contrast '{self.contrast}': unknown; choose one of {', '.join(CONTRASTS)}"
            )
        if self.refine and not self.columns:
            raise InputError("--refine: requires --columns FILE; give both, or omit --refine")
        if self.pair and (self.second or self.frames):
            other = "--second" if self.second else "--frames"
            raise InputError(f"--pair: requires two single scans; omit either --pair or {other}")

    @property
    def absolute(self) -> "Reading":
        """The same with the full paths of its files."""
        full = {name: str(Path(getattr(self, name)).absolute()) for name in self._named}
        return Reading(**vars(self) | full)

    @property
    def files(self) -> dict[str, str]:
        """Hashes of the files besides the image, by path."""
        paths = [getattr(self, name) for name in self._named]
        gone = next((path for path in paths if not Path(path).is_file()), None)
        if gone:
            raise InputError(f"{gone}: no such file; give the path of one")
        return {path: file_sha256(path) for path in paths}

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said about the image that its file does not say."""
        return self == Reading()

    @property
    def _named(self) -> list[str]:
        named = [f.name for f in fields(self) if f.name in _FILES and getattr(self, f.name)]
        return [*named, "second"] if self.second and Path(self.second).is_file() else named


@dataclass(frozen=True, eq=False)
class Image:
    """One image, clean enough to compute with; `read` and `from_array` make it.

    Attributes
    ----------
    data : ndarray of float32, shape (H, W)
        Intensities, finite everywhere: pixels that were not hold the median of those that were.
    valid : ndarray of bool, shape (H, W)
        False where the input was NaN or infinite.
    pixel_size_nm : float or None
        Nanometers per pixel, None where neither the file nor the caller says.
    name : str
        Short name, the stem of the file.
    source, sha256 : str or None
        Path as it was given and hash of the file's bytes, None for arrays.
    lattice_nm : float or None
        Edge of the known (pseudo-cubic) cell in nm, from which the analysis takes the pixel size
        where there is none.
    dataset, others : str
        Name of the image in its file, and of other images there that have its shape; empty for
        arrays.
    size_note : str
        What is stated about the pixel size but could not be used, or does not fit; a sentence,
        mostly empty.
    region : ndarray of bool, shape (H, W), or None
        The pixels that are looked at, where some are left out on purpose; columns elsewhere do not
        count.
    positions : ndarray, shape (N, 6), or None
        Columns that were given, see `read_positions`.
    refine : bool
        Whether these are fitted, instead of taken as they are.
    halves : ndarray of float32, shape (2, H, W), or None
        Means of every other frame, where the image is that of four frames or more.
    drift_px : ndarray, shape (n, 2), or None
        How far every frame that was averaged lay off the first.
    row_rms_px : float
        Displacement of single rows of the frames that was undone.
    contrast : {"auto", "bright", "dark"}
        What is known of the columns' contrast.
    inverted : bool
        Whether the image was inverted, since its columns are dark.
    second : ndarray of float32, shape (H, W), or None
        Another channel of the same scan.
    pair_drift_px : ndarray, shape (2, 2), or None
        Drift (rms; x, y) that was removed from both scans of a pair, whose mean the image is.
    pair_turn_deg : int
        By which the second of them was rotated; 0 where there is none.
    cell : GivenCell or None
        The cell of the crystal, where it was stated.
    """

    data: np.ndarray = field(repr=False)
    valid: np.ndarray = field(repr=False)
    pixel_size_nm: float | None
    name: str
    source: str | None
    sha256: str | None
    lattice_nm: float | None = field(default=None, repr=False)
    dataset: str = field(default="", repr=False)
    others: str = field(default="", repr=False)
    size_note: str = field(default="", repr=False)
    region: np.ndarray | None = field(default=None, repr=False)
    positions: np.ndarray | None = field(default=None, repr=False)
    refine: bool = field(default=False, repr=False)
    halves: np.ndarray | None = field(default=None, repr=False)
    drift_px: np.ndarray | None = field(default=None, repr=False)
    row_rms_px: float = field(default=0.0, repr=False)
    contrast: str = field(default="auto", repr=False)
    inverted: bool = field(default=False, repr=False)
    second: np.ndarray | None = field(default=None, repr=False)
    pair_drift_px: np.ndarray | None = field(default=None, repr=False)
    pair_turn_deg: int = field(default=0, repr=False)
    cell: GivenCell | None = field(default=None, repr=False)

    def looks_at(self, xy: np.ndarray) -> np.ndarray:
        """Whether places (N, 2) in px lie in the region."""
        if self.region is None:
            return np.ones(len(xy), bool)
        x, y = np.clip(np.rint(xy).astype(int), 0, np.array(self.shape[::-1]) - 1).T
        return self.region[y, x]

    @property
    def shape(self):
        """Height and width in pixels."""
        return self.data.shape

    @cached_property
    def median(self) -> np.float32:
        """Median intensity, of every n-th row where there are more than 32 megapixels."""
        return np.median(self.data[:: _every(self.data.size, _MEDIAN_OF)])

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the pixel noise, from the median absolute second difference along
        x.

        Half a million triples of valid pixels, evenly spread, are looked at.
        """
        counts = [len(_triples(row)) for row in self.valid]
        step = max(1, sum(counts) // _NOISE_OF)
        sample, seen = [], 0
        for row, valid, count in zip(self.data, self.valid, counts):
            at = _triples(valid)[-seen % step :: step]
            sample.append(np.abs(row[at + 2] - 2 * row[at + 1] + row[at]))
            seen += count
        return float(np.median(np.concatenate(sample)) / 0.6745 / np.sqrt(6)) if seen else 0.0


def image_from_array(array, *, pixel_size_nm=None, name="image", lattice_nm=None):
    """Make an `Image` of an array, or say why it is none.

    An offset that dwarfs the contrast (range below 1/256 of the median's magnitude) would drown it
    in the rounding of float32; only then is the median subtracted. Values whose range is tiny or
    huge (below 1e-6 or above 1e9: amperes, say) are multiplied by a power of two that brings it to
    about 1.

    Parameters
    ----------
    array : array_like, shape (H, W)
        Integers or floats, copied. Axes of length 1 are dropped, equal color channels become one,
        masked pixels are invalid.
    pixel_size_nm : float, optional
        Nanometers per pixel.
    name : str, optional
        Short name, used in messages.
    lattice_nm : float, optional
        Edge of the known (pseudo-cubic) cell in nm.

    Returns
    -------
    Image

    Raises
    ------
    InputError
        For stacks, colors, complex or boolean values, fewer than 32 px on a side, constant or
        all-NaN data, floats whose contrast is lost in their own rounding, or a pixel size that is
        not a positive number.

    Examples
    --------
    >>> import numpy as np
    >>> image_from_array(np.arange(2000).reshape(40, 50), pixel_size_nm=0.02, name="ramp")
    Image(pixel_size_nm=0.02, name='ramp', source=None, sha256=None)
    """
    size, edge = checked_nm(pixel_size_nm), checked_lattice_nm(lattice_nm)
    try:
        data, valid, *_ = _clean(array)
    except Exception as error:
        raise as_input_error(name, error, "a 2-D array of numbers") from error
    return Image(data, valid, size, name, None, None, edge)


def read_image(
    path,
    *,
    pixel_size_nm=None,
    dataset=None,
    lattice_nm=None,
    frames="",
    contrast="auto",
    roi="",
    mask="",
    exclude="",
    columns="",
    refine=False,
    second="",
    pair="",
    cell="",
):
    """Read one image from a file; the suffix, in any case, says the format (`READERS` lists them).

    Rows are the first axis of an array and run downwards, in every format. The file's calibration
    counts if both axes have a unit of length and are < 1 nm (more cannot resolve atoms, and some
    readers put 1 where they find nothing); what does not count is kept in `size_note`. Axes that
    differ by more than 1 % are refused, as every later angle would be wrong.

    Parameters
    ----------
    path : str or Path
        The file.
    pixel_size_nm : float, optional
        Nanometers per pixel; overrides the file.
    dataset : str, optional
        Name or title of the image where the file holds several. Default: MainImage, image, HAADF or
        the only one.
    lattice_nm : float, optional
        Edge of the known (pseudo-cubic) cell of film or substrate in nm: it gives the pixel size
        where there is none.
    frames : str, optional
        Which frames of a stack are aligned and averaged, see `frame_numbers`; all by default.
    contrast : {"auto", "bright", "dark"}
        Whether columns are brighter or darker than what lies between them, see
        :func:`bfo_utils.columns.with_bright_columns`.
    roi, mask, exclude : str or Path, optional
        The part of the image that is looked at, see `region_pixels`. Coordinates stay those of the
        whole image.
    columns : str or Path, optional
        File of the positions of the columns, which are then not looked for, see `read_positions`.
    refine : bool
        Whether these are where the fits begin, instead of taken as they are.
    second : str or Path, optional
        Another channel of the same scan (ABF, iDPC): a file, or a dataset of the same file.
    pair : str or Path, optional
        File of a second scan of the same place, its scan axes at 90 degrees: the image becomes the
        mean of both without their drift, see `average_pair`.
    cell : str or Path, optional
        File of the cell of the crystal, where it is not found by itself, see `read_cell`.

    Returns
    -------
    Image

    Raises
    ------
    InputError
        One line that names the file: missing, unknown or damaged, several images and no `dataset`,
        pixels that are not square, and all that `from_array` refuses.

    Examples
    --------
    >>> read_image("scan.dm4")
    Traceback (most recent call last):
    bfo_utils.errors.InputError: scan.dm4: no such file; give the path of an image
    """
    check_text("image", path)
    size, edge, file = checked_nm(pixel_size_nm), checked_lattice_nm(lattice_nm), Path(path)
    with without_reader_warnings():
        try:
            with open_arrays(file) as arrays:
                chosen = choose(arrays, None if dataset is None else str(dataset))
                taken = _paired(chosen, pair) if pair else _averaged(chosen, frames)
                data, valid, offset, scale = _clean(taken.mean if taken else chosen.load())
                stated = PixelSize(size) if size else chosen.stated_size
                image = Image(
                    data,
                    valid,
                    stated.nm,
                    file.stem,
                    str(path),
                    file_sha256(file),
                    edge,
                    chosen.name,
                    others(arrays, chosen),
                    stated.unused,
                )
        except Exception as error:
            raise as_input_error(path, error, f"an intact {file.suffix} file") from error
    return replace(
        image,
        region=region_pixels(image.shape, roi, mask, exclude),
        positions=read_positions(columns, image.shape) if columns else None,
        refine=refine,
        halves=None if not taken or taken.halves is None else (taken.halves - offset) * scale,
        **_told(taken),
        contrast=contrast,
        second=_second(file, str(second), image) if second else None,
        cell=read_cell(cell) if cell else None,
    )


def _second(file, second, image):
    """The values of another channel of an image: that of another file, or a dataset of its own."""
    apart = Path(second).is_file()
    try:
        with without_reader_warnings(), open_arrays(Path(second) if apart else file) as arrays:
            chosen = choose(arrays, None if apart else second)
            check_axes(squeezed(chosen.shape))
            data, size = _clean(chosen.load())[0], chosen.stated_size.nm
    except Exception as error:
        wanted = "a file, or a dataset of the image's file"
        raise as_input_error(f"--second {second}", error, wanted) from error
    own, other = (f"{d.shape[1]} x {d.shape[0]} px" for d in (image.data, data))
    if own != other:
        raise InputError(
            f"--second {second}: is {other}, but the image is {own}; give another channel of the"
            " same scan"
        )
    if size and image.pixel_size_nm and abs(size / image.pixel_size_nm - 1) > _SAME_SIZE:
        raise InputError(
            f"--second {second}: has pixels of {size:.4g} nm, but the image has"
            f" {image.pixel_size_nm:.4g} nm; give another channel of the same scan"
        )
    return data


def _told(taken):
    """What an image says about the frames or the pair of scans that it is the mean of."""
    if isinstance(taken, PairAverage):
        return {"pair_drift_px": taken.drift_px, "pair_turn_deg": taken.turn_deg}
    return {"drift_px": taken.drift_px, "row_rms_px": taken.row_rms_px} if taken else {}


def _paired(chosen: StoredArray, pair: str) -> PairAverage:
    """The average of an image and of another scan of the place at 90 degrees."""
    check_axes(squeezed(chosen.shape))
    try:
        with open_arrays(Path(pair)) as arrays:
            other = choose(arrays, chosen.name if len(arrays) > 1 else None)
            check_axes(squeezed(other.shape))
            own, size = chosen.stated_size.nm, other.stated_size.nm
            if own and size and abs(size / own - 1) > _SAME_SIZE:
                raise InputError(
                    f"has pixels of {size:.4g} nm, but the image has {own:.4g} nm; give the other"
                    " scan of the pair"
                )
            return average_pair(*(_clean(a.load())[0] for a in (chosen, other)))
    except Exception as error:
        raise as_input_error(f"--pair {pair}", error, "another scan of the place") from error


def count_frames(path, dataset=None):
    """How many frames the image of a file has.

    Parameters
    ----------
    path : str or Path
    dataset : str, optional
        As for `read_image`.

    Returns
    -------
    int
        1 for a single image.
    """
    with without_reader_warnings():
        try:
            with open_arrays(Path(path)) as arrays:
                chosen = choose(arrays, dataset)
                return squeezed(chosen.shape)[0] if is_stack(chosen) else 1
        except Exception as error:
            raise as_input_error(path, error, f"an intact {Path(path).suffix} file") from error


def _averaged(chosen: StoredArray, frames: str) -> FrameAverage | None:
    """The average of the frames of a stack that are asked for; None for a single image."""
    if not is_stack(chosen):
        check_axes(squeezed(chosen.shape))
        if frames:
            raise InputError(
                "--frames: the file contains a single image, not a stack; omit --frames"
            )
        return None
    numbers = frame_numbers(frames, squeezed(chosen.shape)[0])
    stack = np.asarray(chosen.load()).reshape(squeezed(chosen.shape))
    check_kind(stack.dtype)
    return average_frames(stack[numbers])


def calibrated(image, cell_px):
    """An image with the pixel size that its known lattice gives, or with a note where its size and
    the lattice disagree.

    Parameters
    ----------
    image : Image
    cell_px : float
        Edge of the (pseudo-cubic) cell as measured, in px.

    Returns
    -------
    Image
        The same one where no lattice is known.

    Examples
    --------
    >>> calibrated(image_from_array(np.arange(2000).reshape(40, 50), lattice_nm=0.3905), 15.62)
    Image(pixel_size_nm=0.025, name='image', source=None, sha256=None)
    """
    if image.lattice_nm is None:
        return image
    found = by_lattice(image.pixel_size_nm, image.lattice_nm, cell_px)
    return replace(image, pixel_size_nm=found.nm, size_note=found.unused)


def repair_hot_pixels(image):
    """An image without what its detector added: clusters of hot pixels up to two wide, and spots
    far off the scale of the rest.

    A pixel that stands out of the median of its 5 x 5 neighborhood by 2.5 times the range of the
    gray levels, and by 14 times the noise, takes that median: columns never do. Pixels that lie
    four times that range beyond it (cosmic rays, saturated spots) take the median of the image.
    Both are no longer valid.

    Parameters
    ----------
    image : Image

    Returns
    -------
    Image
        The same one where there is nothing to repair.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> waves = np.cos(x / 3) + np.cos(y / 3)
    >>> waves[20, 30] = 50
    >>> repaired = repair_hot_pixels(image_from_array(waves))
    >>> int((~repaired.valid).sum()), bool(repaired.data.max() < 3)
    (1, True)
    """
    low, high = np.quantile(image.data[:: _every(image.data.size, _NOISE_OF)], [0.02, 0.98])
    spread = float(high - low)
    if spread == 0:
        return image
    least = max(_SPIKE[0] * spread, _SPIKE[1] * image.noise)
    at = np.nonzero((image.data > low + least) | (image.data < high - least))
    middle = _neighborhood_median(image.data, *at)
    value = image.data[at]
    off = (value > high + _OFF_SCALE * spread) | (value < low - _OFF_SCALE * spread)
    bad = (np.abs(value - middle) > least) | off
    if not bad.any():
        return image
    data, valid = image.data.copy(), image.valid.copy()
    rows, cols = (index[bad] for index in at)
    data[rows, cols] = np.where(off[bad], image.median, middle[bad])
    valid[rows, cols] = False
    return replace(image, data=data, valid=valid)


def file_sha256(path):
    """Hash a file piece by piece, so that its size does not matter.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import os
    >>> file_sha256(os.devnull)[:8]
    'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _every(pixels, most):
    """Step n such that every n-th row holds enough pixels for a median."""
    return -(-pixels // most)


def _neighborhood_median(data, rows, cols):
    """Median of the 5 x 5 pixels around each of some pixels; the edge is repeated."""
    height, width = data.shape
    near = range(-2, 3)
    around = [
        data[np.clip(rows + y, 0, height - 1), np.clip(cols + x, 0, width - 1)]
        for y in near
        for x in near
    ]
    return np.median(around, axis=0)


def _triples(valid):
    """Return where in a row three valid pixels in succession begin."""
    return np.flatnonzero(valid[2:] & valid[1:-1] & valid[:-2])


def _clean(array):
    """Return float32 values without holes, where there were none, and the offset and scale that
    the values were changed by; refuse what is no image.

    Band by band: in double precision the whole of a large image would cost four times its memory.
    """
    array = _plane(array)
    data, valid = np.empty(array.shape, np.float32), np.empty(array.shape, bool)
    for rows in row_bands(array.shape):
        valid[rows] = np.isfinite(_double(array[rows]))
    low, high = _range(array, valid)
    scale = 1.0 if _COMFORT[0] <= high - low <= _COMFORT[1] else 2.0 ** -round(np.log2(high - low))
    hole, offset = 0.0, 0.0
    if high - low < max(abs(low), abs(high)) / 256 or not valid.all():
        hole = _median(array, valid)
        offset = hole if high - low < abs(hole) / 256 else 0.0
    for rows in row_bands(array.shape):
        data[rows] = (np.where(valid[rows], _double(array[rows]), hole) - offset) * scale
    return data, valid, np.float32(offset), np.float32(scale)


def _plane(array):
    """An array of any kind as an (H, W) array of integers or floats, NaN where it is masked."""
    if isinstance(array, np.ma.MaskedArray) and array.dtype.kind in "iuf":
        array = np.ma.filled(array.astype(np.float64), np.nan)
    array = np.asarray(array)
    array = _gray(array.reshape(squeezed(array.shape)))
    check_kind(array.dtype)
    height, width = array.shape
    if min(height, width) < MIN_SIDE:
        raise InputError(
            f"{height} x {width} px is too small; give at least {MIN_SIDE} px on each side"
        )
    return array


def _double(array):
    """Return values in double precision."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(array, dtype=np.float64)


def _range(array, valid):
    """Return the least and greatest valid value; refuse what float32 cannot tell apart."""
    if not valid.any():
        raise InputError("all pixels are NaN or infinite; give an image with valid pixels")
    extremes = [
        _extremes(_double(array[rows])[valid[rows]])
        for rows in row_bands(array.shape)
        if valid[rows].any()
    ]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    if low == high:
        raise InputError(f"constant image, every pixel is {low:g}; give an image with contrast")
    if max(abs(low), abs(high)) > 1e30 or high - low < 1e-30:
        raise InputError(f"values from {low:g} to {high:g} do not fit 32-bit floats; rescale them")
    step = (
        float(np.spacing(array.dtype.type(max(abs(low), abs(high)))))
        if array.dtype.kind == "f"
        else 0.0
    )
    if high - low < _STEPS * step:
        raise InputError(
            f"values from {low:g} to {high:g} are rounded to steps of {step:g} in {array.dtype}:"
            " the contrast is lost; subtract the offset before storing, or store as float64"
        )
    return low, high


def _extremes(values):
    return values.min(), values.max()


def _median(array, valid):
    """Median of the valid values, of every n-th row where the image is large."""
    rows = np.flatnonzero(valid.any(axis=1))[:: _every(array.size, _MEDIAN_OF)]
    return np.median(_double(array[rows])[valid[rows]])


def _gray(array):
    """Return the one channel of a gray image that was stored with colors."""
    # of HyperSpy and DigitalMicrograph, whose alpha means nothing
    if array.dtype.names and set(array.dtype.names) <= set("RGBA"):
        array = np.stack([array[name] for name in "RGB"], axis=-1)
    check_axes(array.shape)
    if array.ndim == 2:
        return array
    channels = array.shape[-1]
    opaque = np.iinfo(array.dtype).max if array.dtype.kind in "iu" else 1
    colors, alpha = np.split(array, [channels - 1 + channels % 2], axis=-1)
    tint = np.ptp(colors, axis=-1).max(initial=0)
    if tint > (_TINT if array.dtype == np.uint8 else 0) or (alpha != opaque).any():
        raise InputError(f"{CHANNELS[channels]}, {channels} channels; convert to grayscale")
    return colors.mean(axis=-1, dtype=np.float32) if tint else colors[..., 0]
