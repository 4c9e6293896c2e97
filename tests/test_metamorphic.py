"""What must not change when the image changes, and what must change with it: relations between two
analyses.

Every relation compares the map of a disturbed image with the one of the undisturbed image, cell by
cell at corresponding places, under fixed parameters. Its bars stand beside what was measured when
it was written:

- seen: share of the undisturbed map's cells that have a label in the other;
- agree: share of these whose label is the same, once the labels of the other are matched to it;
- shift: rms difference of the polar displacement, after the transformation that the image went
through, in px.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from bfo_utils.errors import InputError
from bfo_utils.io import image_from_array, repair_hot_pixels
from bfo_utils.results import DOMAINS, analyze, find_warnings
from bfo_utils.search import PreparedImage, SearchPlan, evaluate_configuration, prepare_image
from bfo_utils.segmentation import match_labels
from bfo_utils.simulation import Specimen, simulate_phantom, true_label_map

from .record import record

# Walls thinner than a cell: every cell has a state. In the middle of a wider wall P is 0, and which
# of its two domains such a cell goes to is decided by noise, not by what is done to the image.
PHANTOM = Specimen(layout="junction", cells=32, cell_px=18, dose=80, wall_cells=0.5)
# The scan that slips is cut from this one; without jitter, which would be undone on one side only.
WIDE = Specimen(layout="junction", cells=40, cell_px=18, dose=80, jitter_px=0)
CUT = 60  # px at either side of it
FIXED = {"site": "cell", "normalisation": "zscore", "n_components": 6, "n_clusters": 3}
TURN = np.array([[0, 1], [-1, 0]])


@dataclass(frozen=True)
class Bars:
    """The least share of cells seen and of labels that agree, and the largest shift (px) of a
    relation.
    """

    seen: float
    agree: float
    shift: float


@dataclass(frozen=True)
class Solved:
    """A prepared crystal and its map."""

    prepared: PreparedImage
    labels: np.ndarray


def solve(array):
    prepared = prepare_image(image_from_array(array))
    return Solved(prepared, evaluate_configuration(prepared, FIXED).labels)


def compare(one, two, place=lambda xy: xy, matrix=((1, 0), (0, 1))):
    """(seen, agree, shift) of a map against another whose image shows the point ``xy`` at
    ``place(xy)``.
    """
    cells, other = one.prepared.lattice.cells, two.prepared.lattice.cells
    mask, there = one.prepared.mask, two.prepared.mask
    distance, nearest = cKDTree(other.xy[there]).query(place(cells.xy[mask]))
    near = distance < 0.3 * other.basis.cell_px
    if not near.any():
        return 0.0, 0.0, np.inf
    expected, found = one.labels[mask][near], two.labels[there][nearest[near]]
    difference = cells.polar[mask][near] @ np.transpose(matrix) - other.polar[there][nearest[near]]
    return (
        near.mean(),
        (match_labels(found, expected)[found] == expected).mean(),
        np.sqrt((difference**2).sum(axis=1).mean()),
    )


def hold(name, measured, bars):
    """Record what was measured and hold it against its bars."""
    seen, agree, shift = measured
    record(
        "metamorphic",
        relation=name,
        cells=round(float(agree), 4),
        bar=bars.agree,
        seen=round(float(seen), 4),
        seen_bar=bars.seen,
        displacement_px=round(float(shift), 4),
        displacement_bar=bars.shift,
    )
    assert seen >= bars.seen and agree >= bars.agree and shift <= bars.shift, (name, measured)


def refuse(name, call):
    """Record and return the one line with which an image is refused."""
    with pytest.raises(InputError) as refusal:
        call()
    record("metamorphic", relation=name, refused=str(refusal.value))
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.fixture(scope="module")
def data():
    array = simulate_phantom(PHANTOM, 1).image.data
    array.flags.writeable = False
    return array


@pytest.fixture(scope="module")
def plain(data):
    return solve(data)


def random(shape):
    return np.random.default_rng(0).random(shape)


def with_rows(data, n, width):
    out = data.copy()
    for row in np.linspace(50, len(data) - 60, n).astype(int):
        out[row : row + width] = np.nan
    return out


def with_columns(data, columns, value):
    out = data.copy()
    out[:, columns] = value
    return out


def with_spots(data):
    out, (y, x) = data.copy(), np.indices(data.shape)
    for row, col in random((10, 2)) * data.shape:
        out[np.hypot(y - row, x - col) < 7] = 5 * data.max()
    return out


EXACT = Bars(
    1.0, 1.0, 0.002
)  # measured 1, 1, 0.000 for all that only stores the same numbers in another way
DISTURBED = {  # what is done to the image, bars; measured seen, agree, shift
    "NaN stripes, 4 of 3 px": (
        lambda a: with_rows(a, 4, 3),
        Bars(0.7, 0.99, 0.03),
    ),  # 0.749, 1, 0.008
    "NaN stripes, 8 of 6 px": (
        lambda a: with_rows(a, 8, 6),
        Bars(0.4, 0.99, 0.05),
    ),  # 0.435, 1, 0.022
    "NaN stripe of 20 px": (
        lambda a: with_rows(a, 1, 20),
        Bars(0.9, 0.99, 0.03),
    ),  # 0.922, 1, 0.005
    "hot pixels, 0.1 %": (
        lambda a: np.where(random(a.shape) < 1e-3, 20 * a.max(), a),
        Bars(0.99, 0.99, 0.06),
    ),  # 1, 1, 0.020
    "hot pixels, 1 %": (
        lambda a: np.where(random(a.shape) < 1e-2, 20 * a.max(), a),
        Bars(0.99, 0.99, 0.12),
    ),  # 1, 1, 0.052
    "hot pixels, a million times": (
        lambda a: np.where(random(a.shape) < 1e-3, 1e6 * a.max(), a),
        Bars(0.99, 0.99, 0.06),
    ),  # 1, 1, 0.014
    "dead pixels, 1 %": (
        lambda a: np.where(random(a.shape) < 1e-2, 0, a),
        Bars(0.99, 0.99, 0.2),
    ),  # 1, 1, 0.117
    "saturated spots": (with_spots, Bars(0.9, 0.99, 0.03)),  # 0.931, 1, 0.003
    "saturated pixel columns": (
        lambda a: with_columns(a, [90, 210, 350, 480, 481], 3 * a.max()),
        Bars(0.9, 0.97, 0.1),
    ),  # 0.929, 1, 0.036
    "dead pixel columns": (
        lambda a: with_columns(a, [100, 101, 300], 0),
        Bars(0.97, 0.95, 0.6),
    ),  # 1, 0.977, 0.368
    "saturated above 90 %": (
        lambda a: np.minimum(a, np.quantile(a, 0.9)),
        Bars(0.9, 0.98, 0.7),
    ),  # 0.960, 1, 0.488
    "threefold illumination": (
        lambda a: a * np.linspace(0.3, 3, a.shape[1]),
        Bars(0.99, 0.99, 0.06),
    ),  # 1, 1, 0.021
    "gamma 0.7": (lambda a: a**0.7, Bars(0.97, 0.99, 0.2)),  # 0.997, 1, 0.107
    "gain 1e-20": (lambda a: a.astype(float) * 1e-20, EXACT),
    "gain 1e20": (lambda a: a.astype(float) * 1e20, EXACT),
    "gain 0.001": (lambda a: a * np.float32(0.001), EXACT),
    "offset -1000": (lambda a: a - 1000, EXACT),
    "offset 1e9 in float64": (lambda a: a.astype(float) + 1e9, EXACT),
    "offset 1e7 in float32": (
        lambda a: a + np.float32(1e7),
        EXACT,
    ),  # whole counts survive the rounding
    "offset 0.3 + 1e4 in float32": (
        lambda a: a + np.float32(1e4 + 0.3),
        Bars(0.99, 0.99, 0.02),
    ),  # 1, 1, 0.004
    "offset 2000 in float16": (
        lambda a: (a + 2000).astype(np.float16),
        Bars(0.99, 0.99, 0.03),
    ),  # 1, 1, 0.008
    "uint8": (
        lambda a: (a / a.max() * 255).astype(np.uint8),
        Bars(0.99, 0.99, 0.03),
    ),  # 1, 1, 0.005
    "uint16": (lambda a: a.astype(np.uint16), EXACT),
    "int32, negative": (lambda a: a.astype(np.int32) - 500, EXACT),
    "float16": (lambda a: a.astype(np.float16), EXACT),
    "float64": (lambda a: a.astype(np.float64), EXACT),
    "big-endian float": (lambda a: a.astype(">f4"), EXACT),
    "big-endian uint16": (lambda a: a.astype(">u2"), EXACT),
    "not contiguous": (lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3], EXACT),
    "column-major": (np.asfortranarray, EXACT),
    "negative strides": (lambda a: a[::-1, ::-1].copy()[::-1, ::-1], EXACT),
}


@pytest.mark.parametrize("name", DISTURBED)
def test_a_disturbed_image_has_the_same_map(name, data, plain):
    disturb, bars = DISTURBED[name]
    hold(name, compare(plain, solve(disturb(data))), bars)


def moved(matrix, origin=(0, 0)):
    return lambda xy: xy @ np.asarray(matrix, float).T + origin


def stretched(factor):
    return lambda a: ndimage.zoom(a, (factor, 1), order=3, grid_mode=True, mode="nearest")


def sheared(a):
    return ndimage.affine_transform(a, [[1, 0], [0.1, 1]], order=3, cval=np.median(a))


# what is done to the image, the matrix that P transforms by, where its origin lies, bars; measured
MOVED = {
    "flip left to right": (lambda a: a[:, ::-1], np.diag([-1, 1]), (575, 0), EXACT),
    "flip upside down": (lambda a: a[::-1], np.diag([1, -1]), (0, 575), EXACT),
    "transpose": (lambda a: a.T, np.array([[0, 1], [1, 0]]), (0, 0), EXACT),
    "turn by 90 degrees": (np.rot90, TURN, (0, 575), EXACT),
    "turn by 180 degrees": (lambda a: a[::-1, ::-1], -np.eye(2), (575, 575), EXACT),
    "crop": (
        lambda a: a[40:, 25:],
        np.eye(2),
        (-25, -40),
        Bars(0.85, 0.99, 0.01),
    ),  # 0.876, 1, 0.000
    "frame of 40 px": (
        lambda a: np.pad(a, 40, constant_values=np.median(a)),
        np.eye(2),
        (40, 40),
        Bars(0.97, 0.99, 0.02),
    ),  # 0.991, 1, 0.001
    "pixels of 1 : 1.2": (
        stretched(1.2),
        np.diag([1, 1.2]),
        (0, 0.1),
        Bars(0.97, 0.99, 0.12),
    ),  # 0.999, 1, 0.064
    "pixels of 1 : 1.5": (
        stretched(1.5),
        np.diag([1, 1.5]),
        (0, 0.25),
        Bars(0.97, 0.99, 0.3),
    ),  # 0.999, 1, 0.161
    "shear of 0.1": (sheared, np.array([[1, -0.1], [0, 1]]), (0, 0), Bars(0.9, 0.99, 0.12)),
}  # 0.941, 1, 0.053


@pytest.mark.parametrize("name", MOVED)
def test_a_map_moves_with_its_image(name, data, plain):
    change, matrix, origin, bars = MOVED[name]
    hold(name, compare(plain, solve(change(data)), moved(matrix, origin), matrix), bars)


@pytest.mark.parametrize("angle", [10, 30, 45, 75])
def test_a_map_turns_with_its_image(angle, data, plain):
    turn = np.deg2rad(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    middle = (np.array(data.shape[::-1]) - 1) / 2
    turned = ndimage.rotate(data, angle, reshape=False, order=3, cval=np.median(data))
    bars = Bars(0.75, 0.99, 0.08)  # 0.770 (the corners leave the frame), 1, 0.032 at 45 degrees
    hold(
        f"turn by {angle} degrees",
        compare(plain, solve(turned), moved(matrix, middle - matrix @ middle), matrix),
        bars,
    )


@pytest.fixture(scope="module")
def scene():
    return simulate_phantom(WIDE, 1).image.data


@pytest.fixture(scope="module")
def steady(scene):
    return solve(scene[:, CUT:-CUT])


SLIPS = {  # px that the lower half slips by: bars; measured
    3: Bars(0.95, 0.97, 0.05),  # 1, 1, 0.028: the scan is put straight
    6: Bars(0.85, 0.97, 0.05),  # 0.912, 1, 0.001: no scan; cells on the seam are left out
    9: Bars(0.85, 0.97, 0.05),  # 0.912, 1, 0.001: half a cell, A columns meet B columns
    18: Bars(0.95, 0.97, 0.05),  # 0.982, 1, 0.032: a whole cell
    50: Bars(0.9, 0.95, 0.2),  # 0.950, 1, 0.100
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_scan_that_slips_leaves_both_halves(slip, scene, steady):
    slipped = scene[:, CUT:-CUT].copy()
    half = len(slipped) // 2
    slipped[half:] = scene[half:, CUT - slip : -CUT - slip]
    place = lambda xy: np.where(xy[:, 1:] > half, xy + np.array((slip, 0)), xy)  # noqa: E731
    hold(f"lower half slips by {slip} px", compare(steady, solve(slipped), place), SLIPS[slip])


def against_truth(specimen, seed=1):
    """Share of the true cells inside that are seen, and share of their labels that are right."""
    made = simulate_phantom(specimen, seed)
    solved = solve(made.image.data)
    truth, mask = (
        true_label_map(made.truth, solved.prepared.lattice.cells, solved.prepared.mask),
        solved.prepared.mask,
    )
    found = solved.labels[mask & (truth >= 0)]
    return (
        mask.sum() / len(made.truth.cell_xy),
        (match_labels(found, truth[truth >= 0])[found] == truth[truth >= 0]).mean(),
    )


SIMULATED = {  # what is simulated: least share of the true cells seen and of right labels; measured
    "8 px per cell": (dict(cells=32, cell_px=8), 0.6, 0.95),
    "12 px per cell": (dict(cells=32, cell_px=12), 0.6, 0.97),
    "26 px per cell": (dict(cells=32, cell_px=26), 0.6, 0.97),
    "60 px per cell": (dict(cells=28, cell_px=60), 0.6, 0.97),
    "2 % of the columns missing": (dict(cells=32, cell_px=18, missing=0.02), 0.6, 0.96),
    "crystal turned by 20 degrees": (dict(cells=32, cell_px=18, rotation_deg=20), 0.6, 0.97),
    "crystal turned by 44 degrees": (dict(cells=32, cell_px=18, rotation_deg=44), 0.6, 0.97),
    "crystal turned by 70 degrees": (dict(cells=32, cell_px=18, rotation_deg=70), 0.6, 0.97),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_a_crystal_of_any_size_and_angle_is_mapped(name):
    changes, least_seen, least_right = SIMULATED[name]
    seen, right = against_truth(Specimen(layout="junction", dose=80, **changes))
    record(
        "metamorphic",
        relation=f"{name}, against the truth",
        cells=round(float(right), 4),
        bar=least_right,
        seen=round(float(seen), 4),
        seen_bar=least_seen,
    )
    assert seen >= least_seen and right >= least_right


REFUSED = {  # what is done to the image: part of the refusal
    "offset 1e9 in float32": (lambda a: a + np.float32(1e9), "the contrast is lost"),
    "offset 5e4 in float16": (lambda a: (a + 5e4).astype(np.float16), "the contrast is lost"),
    "pixels of 1 : 2": (
        lambda a: ndimage.zoom(a, (1, 2), order=3, grid_mode=True, mode="nearest"),
        "square pixels",
    ),
    "values of 1e300": (lambda a: a.astype(float) * 1e300, "rescale them"),
    "no value at all": (lambda a: a * np.nan, "all pixels are NaN"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_mapped_is_refused(name, data):
    change, expected = REFUSED[name]
    assert expected in refuse(name, lambda: solve(change(data)))


def test_nothing_is_repaired_where_nothing_is_broken():
    for specimen in (
        PHANTOM,
        Specimen(cells=40, cell_px=8, dose=40, sigma_cells=0.1),
        Specimen(cells=12, cell_px=60, dose=5),
    ):
        image = simulate_phantom(specimen, 1).image
        assert repair_hot_pixels(image) is image


def test_an_even_image_is_left_alone():
    even = np.zeros((64, 64))
    even[5, 5] = 1
    image = image_from_array(even)
    assert repair_hot_pixels(image) is image


def test_the_whole_analysis_of_a_disturbed_image_says_so(data):
    spoiled = with_rows(np.where(random(data.shape) < 1e-3, 20 * data.max(), data), 2, 3)
    clean, done = (analyze(image_from_array(array), SearchPlan(16, 1)) for array in (data, spoiled))
    assert done.verdict == clean.verdict == DOMAINS
    hold(
        "whole analysis, hot pixels and NaN stripes",
        compare(*(Solved(d.prepared, d.labels) for d in (clean, done))),
        Bars(0.8, 0.98, 0.1),
    )
    assert "invalid_pixels" in {warning["code"] for warning in find_warnings(done)}
