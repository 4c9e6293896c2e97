"""The verdict: which measured fields contain domains, by a test that is independent of the search.

Every field (polar displacement, strain) is judged by itself: a map is made from one half of the
data and tested in the other (see :mod:`bfo_utils.segmentation`). What else the fields say, such as
an interface, an ordered state, or errors of the scan, is a finding and no domain.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from ..compute import on_one_thread, one_thread
from ..lattice import Cells, ScanDistortion, cell_edges, scan_deviation
from ..rewards import MIN_CORRELATION, Segmentation, autocorrelation
from ..search import Outcome, PreparedImage, name_labels
from ..segmentation import (
    CellDomain,
    FieldJudgment,
    LevelMap,
    ResidualStructure,
    TwoHalves,
    WallTest,
    held_map,
    is_nonpolar,
    judge_field,
    label_posterior,
    level_map,
    mean_displacements,
    moved_walls,
    rand_index,
    residual_structure,
    segment_field,
    trace_walls,
    two_halves,
    wall_power,
    wall_separation,
    wall_tests,
    without_bands,
    without_strips,
    without_unexplained,
)

# properties of a prepared image that a search does not need
_MEASURED = ("column_errors", "cell_errors", "column_shapes", "measured_tilt", "proposed_masks")
DOMAINS, NO_DOMAINS, UNDECIDED = "domains", "no domains", "undecided"
# contrast of the best map; asked where the field is not measured twice (patches, order): single
# domains reach 0.39, domains at 40 counts 0.98
MIN_CONTRAST = 0.5
MIN_Z = (
    3.5  # of the pattern of a map in the other half, from the null curves of benchmarks/judge.py
)
MIN_WALL_Z = 3.0  # of one wall at least
UNSURE_Z = 3.0  # of the pattern, from which on "no domains" would be unjustified
MERGE_Z = 2.0  # walls that are seen less do not divide anything
_UNEXPLAINED_CELLS = 12  # in a patch that no level explains: something is there
_EXPLAINED = 0.8  # of what the judge's own map gains: a map by rewards that gains less is not shown
# of the configurations, those with the highest totals, among which a map of the judge's own
# chooses: a tenth misses good maps (seeds 600 to 707 of benchmarks/robust.py), more cost time
_COMPARED = 0.5
_MOST_CELLS = 4000  # larger fields are judged on blocks of cells
_MOST_MOVED = 60_000  # cells: minimum cuts of more take minutes
_STRAIN_BLOCK = 2  # cells: strains of neighbors share columns
# of the slow field, at most: bending of the lattice is slower than tilt of the crystal
_DEGREES = {"polar": 7, "lattice": 4}
# standard errors of a wall's step at which nine of ten walls are found (half of them at 6.5, see
# benchmarks/judge.py)
_POWER = 8.0
# of the cell, and strain: an image that would not show such a step decides nothing (displacements
# of BaTiO3, about 10 pm, reversed)
_LEAST_POWER = 0.05
# times the spread within: of two states of strain; a normal distribution cut in two has 2.5, a sine
# wave 3.1
MIN_SEPARATION = 4.0
_SCAN_ALONG = 3.0  # times the error of the scan where rows of cells lie along it
_MOST_SHARED = 0.7  # correlation of pixels, that noise is enlarged for
_INTERFACE = 0.15  # step of the columns' amplitude (log) across an interface between materials
_NULL_SD = 1.25  # of z where there is nothing
_STILL = 0.01  # of the cell: mean displacement of a phase that is not polar
_TILTED = 0.015  # of the cell: slow displacement (rms) that a mistilt could make
# adjusted Rand index of the maps of the halves, below which a map is drawn anew from all pixels
_ALIKE = 0.8
_COMPONENTS = {"x": 0, "y": 1}  # of vectors, by fast axis
_ONE_SUBLATTICE = "; only one sublattice is seen, so the polar displacement was not tested"
_WORDS = {"polar": "polar displacement", "lattice": "strain of the cells"}

# of reference fields
REFERENCE_WORDS = {**_WORDS, "patch": "content of the patches", "order": "ordered displacement"}


@dataclass(frozen=True)
class FieldAnswer:
    """Result of the test for one field.

    Attributes
    ----------
    kind : {"polar", "lattice"}
    judged : FieldJudgment
    shown : LevelMap
        Its own map from both halves: labels that are strips, that no level explains or whose walls
        do not hold are merged.
    walls : list of WallTest
    strips, patches : list of ndarray
        Blocks (masks) of strips, and of what no level explains.
    block : int
        Edge, in cells, of the blocks that the field was judged on.
    unit : float
        pm (or per cent of strain) in one unit of the field; px stay px.
    ambiguous : bool
        Whether rows of the scan, whose fast axis is not known, can make the same.
    alone : bool
        Whether no other field was measured.
    """

    kind: str
    judged: FieldJudgment
    shown: LevelMap
    walls: list[WallTest]
    strips: list[np.ndarray]
    patches: list[np.ndarray]
    block: int
    unit: float
    ambiguous: bool = False
    alone: bool = False

    @property
    def holds(self) -> bool:
        """Whether domains are seen that no error of the scan can be."""
        return self._tested and not self.ambiguous

    @property
    def _confirmed(self) -> list[WallTest]:
        """The walls that the other half of the data confirms."""
        return [w for w in self.walls if w.z >= MIN_WALL_Z] if self.judged.z >= MIN_Z else []

    @property
    def separation(self) -> float:
        """The largest separation of the states beside a confirmed wall (see
        :func:`bfo_utils.segmentation.wall_separation`), 0 without one.
        """
        found = (wall_separation(self.judged, self.shown, w) for w in self._confirmed)
        return max(found, default=0.0)

    @property
    def _tested(self) -> bool:
        """Strain differs everywhere, by the scan if by nothing else: states must stand apart."""
        apart = self.kind == "polar" or self.separation >= MIN_SEPARATION
        return bool(self._confirmed) and apart

    @property
    def wavy(self) -> bool:
        """Whether strain steps across confirmed walls, but its states stand hardly farther apart
        than the halves of a smooth wave, or not even that far.
        """
        return bool(self._confirmed) and not self._tested

    @property
    def doubtful(self) -> bool:
        """Whether something is seen that is no domain by these tests; of strain, seldom the same
        everywhere, only what may be twins is, and where nothing else was measured what no level
        explains.
        """
        if self.holds:
            return False
        large = max((int(p.sum()) for p in self.patches), default=0) >= _UNEXPLAINED_CELLS
        if self.kind == "lattice":
            unexplained = self.alone and large and self.judged.z >= MIN_Z
            return unexplained or self.wavy or (self.ambiguous and self._tested)
        return large or (self.judged.z >= UNSURE_Z and not self.strips)

    @property
    def wall_error(self) -> float:
        """Standard error of the step of a straight wall through the middle of the field."""
        return float(wall_power(self.judged).max())

    @property
    def detectable_step(self) -> float:
        """Step (pm, px or per cent) of such a wall that would be seen."""
        return _POWER * self.wall_error * self.unit


@dataclass(frozen=True)
class Judgment:
    """Verdict, reason, map and findings.

    Attributes
    ----------
    verdict : {"domains", "no domains", "undecided"}
    reason : str
    candidate : ndarray of int, shape (R, C)
        The map that is shown where the verdict is "domains", and that stays a candidate where it is
        "undecided"; -1 outside the analyzed mask.
    findings : list of dict
        ``kind, what, numbers, confidence`` each.
    answers : dict of str to FieldAnswer
    kind : str
        Field that the candidate is a map of, empty where none decides.
    compared : float
        Share of the configurations, those with the highest totals, among which agreement with the
        candidate chooses. It is 0 unless domains are shown in a map of the judge's own, for the one
        with the highest total did not hold or explained too little.
    """

    verdict: str
    reason: str
    candidate: np.ndarray = field(repr=False)
    findings: list[dict] = field(default_factory=list)
    answers: Mapping[str, FieldAnswer] = field(default_factory=dict, repr=False)
    kind: str = ""
    compared: float = 0.0

    def leading(self, totals: Sequence[float] | np.ndarray) -> np.ndarray:
        """The configurations among which agreement with the candidate chooses, in descending order
        of their totals, equal ones included: the best alone, unless several are ``compared``.
        """
        values = np.asarray(totals)
        order = np.argsort(-values, kind="stable")
        if not self.compared:
            return order[:1]
        last = order[math.ceil(self.compared * len(order)) - 1]
        return order[values[order] >= values[last]]

    def agreement(self, labels: np.ndarray) -> float:
        """Adjusted Rand index of a map with the candidate, 0 where they are unrelated."""
        inside = self.candidate >= 0
        return rand_index(labels[inside], self.candidate[inside])


def judge_domains(
    prepared: PreparedImage, outcome: Outcome, answers: Mapping[str, FieldAnswer] | None = None
) -> Judgment:
    """Whether an image contains domains, and why.

    Parameters
    ----------
    prepared : PreparedImage
    outcome : Outcome
        The map that the rewards chose. It is shown if the judge accepts its walls; else the judge's
        own map is.
    answers : mapping of str to FieldAnswer, optional
        Answers for the fields, which do not depend on the search; asked for where not given.

    Returns
    -------
    Judgment
    """
    answers = ask_fields(prepared) if answers is None else answers
    chosen = Segmentation(outcome.labels, prepared.reference).clean
    if prepared.reference.kind not in _WORDS:
        verdict, reason = _by_contrast(prepared, outcome.rewards)
        return Judgment(verdict, reason, chosen, _findings(prepared, answers, {}), answers)
    order = [k for k in (prepared.reference.kind, *_WORDS) if k in answers]
    interfaces = {k: _interfaces(prepared, answers[k]) for k in answers}
    seen = [k for k in order if answers[k].holds and not interfaces[k]]
    unsure = [k for k in order if answers[k].doubtful and not (answers[k].wavy and interfaces[k])]
    verdict = (
        DOMAINS if seen else UNDECIDED if unsure or not _able(prepared, answers) else NO_DOMAINS
    )
    kind = (seen or unsure or order or [""])[0]
    candidate, compared = np.where(prepared.mask, 0, -1), 0.0
    if verdict != NO_DOMAINS and kind:
        accepted = _accepted(answers[kind], chosen)
        candidate = _map_to_show(prepared, answers[kind], accepted)
        if verdict == DOMAINS and accepted is None:
            # totals say little where another field than the rewarded one has the domains
            compared = _COMPARED if kind == prepared.reference.kind else 1.0
    findings = _findings(prepared, answers, interfaces)
    reason = _reason(prepared, verdict, answers.get(kind), answers)
    return Judgment(verdict, reason, candidate, findings, answers, kind, compared)


def ask_fields(prepared: PreparedImage) -> dict[str, FieldAnswer]:
    """Result of the test for every measured field.

    Parameters
    ----------
    prepared : PreparedImage

    Returns
    -------
    dict of str to FieldAnswer
        "polar" where the second sublattice is seen, and "lattice".
    """
    kinds = ("polar", "lattice") if prepared.lattice.cells.has_b else ("lattice",)
    if prepared.lattice.cells.has_b and _contradicted(prepared):
        kinds = ("polar",)
    asked = {kind: ask_field(prepared, kind) for kind in kinds}
    answers = {kind: answer for kind, answer in asked.items() if answer is not None}
    return {kind: replace(answer, alone=len(answers) == 1) for kind, answer in answers.items()}


@on_one_thread
def ask_image(prepared: PreparedImage) -> tuple[dict[str, FieldAnswer], dict[str, object]]:
    """The answers of the fields of an image, and those of its properties that take time, for
    another process. (This module imports little, so that it starts at once.)
    """
    return ask_fields(prepared), {name: getattr(prepared, name) for name in _MEASURED}


def ask_field(prepared: PreparedImage, kind: str) -> FieldAnswer | None:
    """Result of the test for one field, "polar" or "lattice"; None where too little is known."""
    with one_thread():
        answer = _answer(prepared, kind, _fast(prepared))
        if kind == "lattice" and answer is not None and answer.holds and _fast(prepared) < 0:
            answer = _along_both_axes(prepared, answer)
    return answer


def _answer(prepared: PreparedImage, kind: str, fast: int) -> FieldAnswer | None:
    """The answer for one field, if the component ``fast`` lies along the rows of the scan."""
    values, block, shared = _field_halves(prepared, kind, fast)
    halves = _prepared(prepared, values, block, shared, kind)
    return None if halves is None else _asked(prepared, kind, halves, block)


def _along_both_axes(prepared: PreparedImage, answer: FieldAnswer) -> FieldAnswer:
    """An answer on strain, ambiguous where it does not hold for either axis of the scan: jumps of
    rows strain the lattice from row to row, never along them.
    """
    alone = [_answer(prepared, "lattice", axis) for axis in (0, 1)]
    return replace(answer, ambiguous=any(a is not None and not a.holds for a in alone))


def _fast(prepared: PreparedImage) -> int:
    """Component along the fast axis, as stated or as noise and displaced rows show it, -1 where
    none stands out: drift and jumps of rows strain the lattice even where they feign no polar
    displacement. Rows that explain nothing of it may as well be a strained lattice.
    """
    scan, axis, noise = prepared.scan, prepared.scan_axis, prepared.halves.axis
    if axis not in _COMPONENTS:
        rows = scan.matters or (noise == "none" and scan.explained > 0)
        axis = scan.axis if rows else noise
    return -1 if _contradicted(prepared) else _COMPONENTS.get(axis, -1)


def _contradicted(prepared: PreparedImage) -> bool:
    """Whether rows are displaced along one axis and noise is shared along the other, and nobody
    said which is the fast one.
    """
    scan, halves = prepared.scan, prepared.halves
    return (
        prepared.scan_axis not in _COMPONENTS
        and scan.matters
        and {scan.axis, halves.axis} == set(_COMPONENTS)
    )


def _field_halves(
    prepared: PreparedImage, kind: str, fast: int
) -> tuple[list[np.ndarray], int, int]:
    """A field from both halves, its blocks, and the component that rows of the scan share."""
    n = int(prepared.mask.sum())
    if kind == "polar":
        return list(prepared.halves.polar), int(np.ceil(np.sqrt(n / _MOST_CELLS))), fast
    block = max(_STRAIN_BLOCK, int(np.ceil(np.sqrt(n / _MOST_CELLS))))
    inverse = np.linalg.inv(prepared.lattice.cells.basis.vectors.T)
    return [_gradient(cells, inverse, fast) for cells in prepared.halves.cells], block, -1


def _gradient(cells: Cells, inverse: np.ndarray, fast: int) -> np.ndarray:
    """Gradient of the lattice (R, C, 2) along the fast axis; (R, C, 4) where there is none."""
    slope = np.stack(cell_edges(cells), axis=-1) @ inverse
    return slope[..., fast] if fast >= 0 else slope.reshape(*slope.shape[:2], 4)


def _prepared(
    prepared: PreparedImage, values: list[np.ndarray], block: int, fast: int, kind: str
) -> TwoHalves | None:
    """Both halves on blocks; None where fewer than 36 blocks are known."""
    cells, halves = prepared.lattice.cells, prepared.halves
    inside = [np.where(prepared.mask[..., None], v, np.nan) for v in values]
    one, two = (_blocks(v, block) for v in inside)
    slow = _blocks(cells.xy[..., [1 - fast if fast >= 0 else 1]], block)[..., 0]
    if (np.isfinite(one) & np.isfinite(two)).all(axis=-1).sum() < 36:
        return None

    scan = prepared.scan if kind == "polar" and prepared.scan.matters else None
    scan_error = partial(_scan_error, scan, cells, block, values[0].shape[-1])
    more = 1.0 if halves.independent else _enlarged(one, two, halves.correlation)
    edge = block * cells.basis.cell_px
    degree = _DEGREES[kind]
    return two_halves(one, two, slow, edge, fast, scan_error, more, degree)


def _scan_error(
    scan: ScanDistortion | None, cells: Cells, block: int, size: int, weights: np.ndarray
) -> np.ndarray:
    """Standard errors (size,) by the scan of a sum over blocks with some weights."""
    error = np.zeros(size)
    if scan:
        spread = _on_cells(weights / block**2, block, cells.shape)
        more = _SCAN_ALONG if scan.along else 1.0
        error[0 if scan.axis == "x" else 1] = more * scan_deviation(scan, cells, spread)
    return error


def _enlarged(one: np.ndarray, two: np.ndarray, correlation: float) -> float:
    """What half the difference of halves that share noise is multiplied by, to be the noise of
    their mean.

    Noise of correlation r from row to row leaves (1 - r) / (1 + r) of it in the difference; it is
    no more than what cells differ by from the mean of their neighbors.
    """
    shared = min(_MOST_SHARED, abs(correlation))
    mean, difference = (one + two) / 2, (one - two) / 2
    around = (mean[1:-1, 2:] + mean[1:-1, :-2] + mean[2:, 1:-1] + mean[:-2, 1:-1]) / 4
    seen, noise = (
        np.sqrt(np.nanmean(_spread(v) ** 2))
        for v in ((mean[1:-1, 1:-1] - around) / np.sqrt(1.25), difference)
    )
    return float(np.clip(seen / max(noise, 1e-12), 1.0, (1 + shared) / (1 - shared)))


def _spread(values: np.ndarray) -> np.ndarray:
    """Robust standard deviation of every component."""
    flat = values.reshape(-1, values.shape[-1])
    return 1.4826 * np.nanmedian(np.abs(flat - np.nanmedian(flat, axis=0)), axis=0)


def _blocks(values: np.ndarray, size: int) -> np.ndarray:
    """Means over blocks of cells, NaN where fewer than half of a block's cells are known."""
    if size == 1:
        return values
    rows, cols = (-(-n // size) for n in values.shape[:2])
    grown = np.full((rows * size, cols * size, *values.shape[2:]), np.nan)
    grown[: values.shape[0], : values.shape[1]] = values
    parts = (
        grown.reshape(rows, size, cols, size, -1).swapaxes(1, 2).reshape(rows, cols, size**2, -1)
    )
    known = np.isfinite(parts)
    mean = np.where(known, parts, 0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    return np.where(known.sum(axis=2) * 2 >= size**2, mean, np.nan)


def _on_cells(blocks: np.ndarray, size: int, shape: tuple[int, int]) -> np.ndarray:
    """Values of blocks at their cells."""
    return blocks.repeat(size, axis=0).repeat(size, axis=1)[: shape[0], : shape[1]]


def _asked(prepared: PreparedImage, kind: str, halves: TwoHalves, block: int) -> FieldAnswer:
    judged, domain = judge_field(halves), halves.domain
    drawn = [m.labels for m in judged.maps if m.n_labels > 1]
    if drawn and rand_index(*[m.labels for m in judged.maps]) < _ALIKE:
        drawn.append(segment_field(domain, halves.drawn_mean).labels)
    both = segment_field(domain, halves.drawn_mean, tuple(drawn))
    labels, strips = without_strips(domain, without_bands(halves, both, block).labels, block)
    found = segment_field(domain, halves.drawn_mean, (labels,))
    found, patches = without_unexplained(halves, found)
    found = held_map(judged, found.labels, MERGE_Z)
    size = prepared.image.pixel_size_nm
    unit = 100.0 if kind == "lattice" else 1000 * size if size else 1.0
    walls = wall_tests(judged, found)
    return FieldAnswer(kind, judged, found, walls, strips, patches, block, unit)


def _able(prepared: PreparedImage, answers: Mapping[str, FieldAnswer]) -> bool:
    """Whether the image would have shown a step of 5 % (of the cell, or of strain)."""
    if "polar" in answers:
        edge = prepared.lattice.cells.basis.cell_px
        return _POWER * answers["polar"].wall_error <= _LEAST_POWER * edge
    return any(_POWER * a.wall_error <= _LEAST_POWER for a in answers.values())


def gives_verdict(
    prepared: PreparedImage, rewards: Mapping[str, float], judgment: Judgment
) -> bool:
    """Whether another map of a search, of these rewards, gives the same verdict: always where
    measured fields decide, which know no map.

    Parameters
    ----------
    prepared : PreparedImage
    rewards : mapping of str to float
    judgment : Judgment

    Returns
    -------
    bool
    """
    if prepared.reference.kind in _WORDS:
        return True
    return _by_contrast(prepared, rewards)[0] == judgment.verdict


def _by_contrast(prepared: PreparedImage, rewards: Mapping[str, float]) -> tuple[str, str]:
    """Verdict on a field measured once: correlated at lag 3, and jumping at most walls."""
    correlation = autocorrelation(prepared.reference.field)
    contrast, what = rewards["contrast"], REFERENCE_WORDS[prepared.reference.kind]
    if correlation < MIN_CORRELATION:
        return NO_DOMAINS, (
            f"the {what} of cells three apart has a correlation of only {correlation:.2f}; domains"
            f" need {MIN_CORRELATION:.2f}"
        )
    if contrast < MIN_CONTRAST:
        return NO_DOMAINS, (
            f"the {what} does not jump across the walls of the best map: the contrast is"
            f" {contrast:.2f}; domains need {MIN_CONTRAST:.2f}"
        )
    return DOMAINS, (
        f"the {what} jumps across the walls (contrast {contrast:.2f}; {MIN_CONTRAST:.2f} is"
        f" needed), and the map explains {rewards['evidence']:.0%} of its variance"
    )


def _map_to_show(
    prepared: PreparedImage, answer: FieldAnswer, accepted: np.ndarray | None
) -> np.ndarray:
    """The map by rewards where it is accepted, else the judge's own; walls that were judged on
    blocks of cells are moved to where the cells have them.
    """
    own = accepted if accepted is not None else _cell_labels(answer, answer.shown, prepared.mask)
    if own.max() <= 0:
        return own
    if answer.block == 1:
        domain, own = answer.judged.halves.domain, own.copy()
        own[domain.mask] = domain.opened(own[domain.mask])
    else:
        own = _with_moved_walls(prepared, answer, own)
    return name_labels(prepared, own)


def _with_moved_walls(
    prepared: PreparedImage, answer: FieldAnswer, labels: np.ndarray
) -> np.ndarray:
    """The map with its walls where the field of single cells has them; very large maps stay."""
    field = np.mean(_field_halves(prepared, answer.kind, _fast(prepared))[0], axis=0)
    known = prepared.mask & np.isfinite(field).all(axis=-1)
    if known.sum() > _MOST_MOVED:
        return labels
    steps = [np.diff(field, axis=k).reshape(-1, field.shape[-1]) for k in (0, 1)]
    noise = _spread(np.concatenate(steps)) / np.sqrt(2)
    domain, moved = CellDomain(known, answer.shown.degree), labels.copy()
    moved[known] = moved_walls(domain, field[known] / noise, labels[known])
    return moved


def _accepted(answer: FieldAnswer, chosen: np.ndarray) -> np.ndarray | None:
    """The map by rewards, its labels merged until all walls hold; None where that is not enough."""
    halves, domain = answer.judged.halves, answer.judged.halves.domain
    blocks, inverse = _block_labels(answer, chosen)
    firm = level_map(domain, halves.drawn_mean, _numbered(blocks))
    firm = without_bands(halves, firm, answer.block)
    thick = without_strips(domain, firm.labels, answer.block)[0]
    kept = held_map(answer.judged, thick, MERGE_Z)
    best = max((w.z for w in wall_tests(answer.judged, kept)), default=0.0)
    nothing = level_map(domain, halves.drawn_mean, np.zeros(domain.n, int)).energy
    enough = nothing - kept.energy >= _EXPLAINED * (nothing - answer.shown.energy)
    if kept.n_labels < 2 or not enough or (answer.holds and best < MIN_WALL_Z):
        return None
    if answer.block == 1:
        return _cell_labels(answer, kept, chosen >= 0)
    became = [
        np.bincount(kept.labels[blocks == k], minlength=1).argmax()
        for k in range(inverse.max() + 1)
    ]
    out = np.full(chosen.shape, -1)
    out[chosen >= 0] = np.array(became)[inverse]
    return out


def _block_labels(answer: FieldAnswer, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label of most cells of every judged block, and label of every cell with one; both count from
    0 without a gap.
    """
    names, inverse = np.unique(labels[labels >= 0], return_inverse=True)
    single = np.full((*labels.shape, len(names)), np.nan)
    single[labels >= 0] = np.eye(len(names))[inverse]
    blocks = np.nan_to_num(_blocks(single, answer.block))
    return blocks[answer.judged.halves.domain.mask].argmax(axis=-1), inverse


def left_over(answer: FieldAnswer, labels: np.ndarray) -> ResidualStructure:
    """Structure of a field within the labels of a map.

    Parameters
    ----------
    answer : FieldAnswer
    labels : ndarray of int, shape (R, C)
        Labels; below 0 is outside.

    Returns
    -------
    ResidualStructure
        With its field at the cells.
    """
    found = residual_structure(answer.judged.halves, _numbered(_block_labels(answer, labels)[0]))
    return replace(found, field=_on_cells(found.field, answer.block, labels.shape))


def field_posterior(answer: FieldAnswer, labels: np.ndarray) -> np.ndarray:
    """Probability that the label of a cell is right, given the tested field in and around it.

    Parameters
    ----------
    answer : FieldAnswer
    labels : ndarray of int, shape (R, C)
        Labels; below 0 is outside.

    Returns
    -------
    ndarray, shape (R, C)
        NaN outside.
    """
    halves = answer.judged.halves
    blocks = label_posterior(halves, _numbered(_block_labels(answer, labels)[0]))
    cells = _on_cells(halves.domain.on_grid(blocks, np.nan), answer.block, labels.shape)
    nearest = ndimage.distance_transform_edt(
        np.isnan(cells), return_distances=False, return_indices=True
    )
    return np.where(labels >= 0, cells[tuple(nearest)], np.nan)


def _numbered(labels: np.ndarray) -> np.ndarray:
    return np.unique(labels, return_inverse=True)[1].ravel()


def _cell_labels(answer: FieldAnswer, found: LevelMap, mask: np.ndarray) -> np.ndarray:
    """Labels of a map of blocks at the cells of a mask; cells without take the nearest label."""
    grid = answer.judged.halves.domain.on_grid(found.labels, -1)
    cells = _on_cells(grid, answer.block, mask.shape)
    nearest = ndimage.distance_transform_edt(cells < 0, return_distances=False, return_indices=True)
    return np.where(mask, cells[tuple(nearest)], -1)


def _interfaces(prepared: PreparedImage, answer: FieldAnswer) -> list[dict]:
    """Walls of a map beyond which columns have another amplitude, if all walls are such."""
    labels = _cell_labels(answer, answer.shown, prepared.mask)
    cells, found = prepared.lattice.cells, []
    amplitudes = [np.log(np.maximum(h, 1e-9)) for h in (cells.a_intensity, cells.b_intensity)]
    for wall in answer.walls:
        one, two = (labels == k for k in wall.labels)
        steps = [
            np.nanmedian(h[two]) - np.nanmedian(h[one]) for h in amplitudes if np.isfinite(h).any()
        ]
        step = max(steps, key=abs, default=0.0)
        if abs(step) > _INTERFACE:
            step = round(float(step), 3)
            both = {"amplitude_step": step, "height_step": step}  # the old name for one version
            found.append({"labels": list(wall.labels), **both})
    several = answer.kind == "polar" and _polar_states(prepared, labels) > 1
    return found if len(found) == len(answer.walls) and not several else []


def _polar_states(prepared: PreparedImage, labels: np.ndarray) -> int:
    """Labels that have a polar displacement."""
    means = mean_displacements(prepared.lattice.cells.polar, labels)[1]
    return int((~is_nonpolar(means)).sum())


def _reason(
    prepared: PreparedImage,
    verdict: str,
    answer: FieldAnswer | None,
    answers: Mapping[str, FieldAnswer],
) -> str:
    """Why, in one sentence."""
    if answer is None:
        return "too few cells are measured to test any field; record a larger field of view"
    what, z, least = _WORDS[answer.kind], answer.judged.z, _least_seen(prepared, answers)
    if verdict == DOMAINS:
        wall = max(answer.walls, key=lambda w: w.z)
        return (
            f"the {what} steps by {_size(prepared, answer, wall)} across a wall that was found in"
            f" one half of the data and confirmed in the other (z = {z:.1f} for all walls,"
            f" {wall.z:.1f} for the clearest; {MIN_Z} and {MIN_WALL_Z:.0f} are needed)"
        )
    if verdict == NO_DOMAINS:
        return (
            f"no wall found in one half of the data is confirmed in the other (z = {z:.1f} for the"
            f" {what}; {MIN_Z} is needed); a step of {least} or more would have been detected"
            + ("" if prepared.lattice.cells.has_b else _ONE_SUBLATTICE)
        )
    return _undecided(answer, least)


def _undecided(answer: FieldAnswer, least: str) -> str:
    """Why nothing is decided, and what would decide it; ``least``: the step that would be seen."""
    what, z = _WORDS[answer.kind], answer.judged.z
    if answer.ambiguous:
        return (
            f"the {what} steps across walls along one axis only; if this is the slow scan axis,"
            " jumps of scan rows cause the same steps, and the image does not show the scan axis;"
            " give --scan-axis, or record a second image with the scan rotated"
        )
    if answer.wavy:
        return (
            f"the {what} pattern of one half is found in the other (z = {z:.1f}), but its states"
            " stand hardly farther apart than the halves of a smooth wave (separation"
            f" {answer.separation:.1f}; {MIN_SEPARATION:.0f} is needed): twins with wide walls, a"
            " modulation, or scan errors; record with more dose, and with the scan rotated"
        )
    if answer.doubtful and answer.judged.z >= UNSURE_Z:
        return (
            f"the {what} pattern of one half is found in the other (z = {z:.1f}), but no wall is"
            " confirmed: weak domains, wide walls, tilt, or scan errors; record with more dose, a"
            " larger field of view, or a second image with the scan rotated"
        )
    if answer.doubtful:
        large = max(int(p.sum()) for p in answer.patches) * answer.block**2
        return (
            f"the {what} of {large} cells differs from its surroundings and is not uniform: domains"
            " too small for this image, or damage; record with more dose, or a second image"
        )
    return (
        f"no wall is found, but only steps of {least} or more would have been detected; record with"
        " more dose or a larger field of view"
    )


def _unit(prepared: PreparedImage, answer: FieldAnswer) -> str:
    return (
        "% of strain"
        if answer.kind == "lattice"
        else ("pm" if prepared.image.pixel_size_nm else "px")
    )


def _size(prepared: PreparedImage, answer: FieldAnswer, wall: WallTest) -> str:
    """Length of a step with its standard error."""
    size, se = _length(wall)
    return f"{size * answer.unit:.2g} ± {se * answer.unit:.1g} {_unit(prepared, answer)}"


def _length(wall: WallTest) -> tuple[float, float]:
    size = float(np.linalg.norm(wall.step))
    share = (wall.step / max(size, 1e-12)) ** 2
    return size, float(np.sqrt(share @ wall.se**2))


def _least_seen(prepared: PreparedImage, answers: Mapping[str, FieldAnswer]) -> str:
    """Step that would have been seen."""
    answer = answers.get("polar") or answers["lattice"]
    return f"{answer.detectable_step:.2g} {_unit(prepared, answer)}"


def _findings(
    prepared: PreparedImage,
    answers: Mapping[str, FieldAnswer],
    interfaces: Mapping[str, list[dict]],
) -> list[dict]:
    """All that was found, each with its numbers and a confidence from 0 to 1."""
    found = []
    for kind, name in (("polar", "ferroelectric domains"), ("lattice", "ferroelastic domains")):
        answer = answers.get(kind)
        if answer is None:
            continue
        if interfaces.get(kind):
            beyond = {"walls": interfaces[kind]}
            found.append(_finding("interface", _BEYOND, beyond, answer.judged.z))
        elif answer.holds:
            found.append(_finding(name, *_of_domains(prepared, answer), answer.judged.z))
        if answer.strips and answer.judged.z >= UNSURE_Z:
            cells = [int(s.sum()) * answer.block**2 for s in answer.strips]
            numbers = {"cells": cells, "z": round(answer.judged.z, 2)}
            found.append(_finding("strip", _STRIP.format(_WORDS[kind]), numbers, answer.judged.z))
    return (
        found
        + _ordered(prepared)
        + _polar_state(prepared, answers)
        + _suspicions(prepared, answers)
    )


_BEYOND = (
    "the columns on one side of every wall have a different amplitude: an interface or a substrate,"
    " not domains"
)
_STRIP = "the {} differs in strips of one or two rows: a layer or an interface, not domains"


def _finding(kind: str, what: str, numbers: dict, z: float) -> dict:
    confidence = round(float(ndtr(z / _NULL_SD)), 4)
    return {"kind": kind, "what": what, "numbers": numbers, "confidence": confidence}


def _of_domains(prepared: PreparedImage, answer: FieldAnswer) -> tuple[str, dict]:
    """States of a field and their walls, in words and numbers."""
    labels = _cell_labels(answer, answer.shown, prepared.mask)
    states = answer.shown.n_labels
    if answer.kind == "polar":
        states = _polar_states(prepared, labels)
    unit = {"pm": "pm", "px": "px"}.get(_unit(prepared, answer), "percent")
    rows = []
    for wall in answer.walls:
        size, se = (round(v * answer.unit, 3) for v in _length(wall))
        row: dict = {"labels": list(wall.labels), f"step_{unit}": size, f"se_{unit}": se}
        row |= {"z": round(wall.z, 2), "length_cells": round(wall.length_cells * answer.block, 1)}
        if np.isfinite(wall.width_cells):
            row |= {
                "width_cells": round(wall.width_cells * answer.block, 2),
                "se_width_cells": round(wall.se_width_cells * answer.block, 2),
            }
        rows.append({k: v if np.all(np.isfinite(v)) else None for k, v in row.items()})
    numbers = {"variants": states, "z": round(answer.judged.z, 2), "walls": rows}
    name = "polar variants" if answer.kind == "polar" else "states of strain"
    return f"{states} {name}, separated by {len(rows)} kinds of confirmed wall", numbers


def _ordered(prepared: PreparedImage) -> list[dict]:
    return [
        _finding(
            "ordered state",
            f"{s.sublattice} columns are displaced alternately, wave vector {s.name}: antipolar"
            " order or tilted octahedra",
            {"amplitude_px": round(s.amplitude_px, 4), "significance": round(s.significance, 1)},
            float(np.sqrt(max(s.significance, 0))),
        )
        for s in prepared.superstructures
    ]


def _polar_state(prepared: PreparedImage, answers: Mapping[str, FieldAnswer]) -> list[dict]:
    """Phases that are not polar: labels of the map, or all cells."""
    answer = answers.get("polar")
    if answer is None:
        return []
    labels = _cell_labels(answer, answer.shown, prepared.mask)
    names, means = mean_displacements(prepared.lattice.cells.polar, labels)
    if len(names) == 1:
        still = np.hypot(*means.T) < _STILL * prepared.lattice.cells.basis.cell_px
    else:
        still = is_nonpolar(means)
    share = float(np.isin(labels, names[still]).sum() / (labels >= 0).sum())
    if not share:
        return []
    what = f"{share:.0%} of the cells are non-polar or nearly so"
    mean = np.hypot(*means[still].T).max() * answer.unit
    numbers = {"share": round(share, 4), "displacement": round(float(mean), 3)}
    return [_finding("non-polar phase", what, numbers, 2.0)]


def _suspicions(prepared: PreparedImage, answers: Mapping[str, FieldAnswer]) -> list[dict]:
    """What scan and tilt may have made."""
    found, answer, scan = [], answers.get("polar"), prepared.scan
    if scan.matters:
        numbers = {"rms_px": round(scan.rms_px, 4), "corrected": scan.corrected}
        what = f"the scan displaced its rows along {scan.axis}"
        found.append(_finding("scan suspicion", what, numbers, 3.0))
    if answer is None:
        return found
    if "lattice" not in answers:
        what = (
            "rows are displaced along both axes: the strain is not tested, because the scan may"
            " cause it"
        )
        found.append(_finding("scan suspicion", what, {}, 3.0))
    share = _along_scan(prepared, answer)
    if share > 0.5:
        what = (
            "walls lie along the fast scan axis, where scan errors look like walls; rotate the scan"
        )
        found.append(_finding("scan suspicion", what, {"share_of_walls": round(share, 3)}, 1.0))
    domain, noise = answer.judged.halves.domain, answer.judged.halves.noise.sigma
    slow = domain.slow[:, 1:10]
    rms = np.sqrt(((slow.T @ answer.judged.halves.mean * noise) ** 2).sum() / domain.n)
    if answer.shown.n_labels < 2 and rms > _TILTED * prepared.lattice.cells.basis.cell_px:
        what = "the polar displacement varies slowly over the field: a mistilt or a real gradient"
        found.append(_finding("tilt suspicion", what, {"rms": round(rms * answer.unit, 3)}, 2.0))
    return found


def _along_scan(prepared: PreparedImage, answer: FieldAnswer) -> float:
    """Share of the walls' length within 10 degrees of the fast axis."""
    fast = _fast(prepared)
    walls = trace_walls(_cell_labels(answer, answer.shown, prepared.mask))
    if fast < 0 or not walls.length.sum():
        return 0.0
    along = np.stack([np.cos(walls.direction), np.sin(walls.direction)], -1)
    way = along @ prepared.lattice.cells.basis.vectors
    turned = np.abs(way[:, fast]) / np.linalg.norm(way, axis=1)
    return float(walls.length[turned > np.cos(np.deg2rad(10))].sum() / walls.length.sum())
