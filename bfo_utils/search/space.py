"""The search space of the whole workflow, declared once.

The command line, the parameters of the notebooks, the optimizer and the tables of the book use this
declaration.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..compute import require_extra
from ..descriptors import CELL_SITES, DESCRIPTORS, NORMALIZATIONS, SITES
from ..errors import InputError
from ..lattice import check_axis
from ..rewards import DEFAULT_TOTAL
from ..segmentation import COVARIANCES, METHODS, TILTS, check_tilt
from ..simulation import layout_names
from ..vae import INVARIANCES, SCHEDULES, VAESettings

GOALS = ("total", "pareto", "nsga2")
_PREPARED = (
    "evidence",
    "bright",
    "polar_sign",
    "born_charge",
    "strain_reference",
    "scan_axis",
    "tilt",
)  # fields of a plan on which the preparation of an image depends
# int, float or str: which one, the declaration of the parameter says, and `check` holds it to that
Value = Any


@dataclass(frozen=True)
class Parameter:
    """One choice of the workflow.

    Attributes
    ----------
    name, stage, unit, help : str
        Name; stage that uses it (columns, descriptors, clustering); unit of the value; one line of
        help.
    default : int, float or str
        Default value; its type is the parameter's type.
    low, high : float or None
        Range of a number, both ends included; without range and choices any text is allowed.
    choices : tuple of str
        Values of a choice.
    searched : bool
        Whether the optimizer varies it by default.
    pattern : str
        Regular expression that the whole text must match.
    """

    name: str
    stage: str
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str | int, ...] = ()
    unit: str = ""
    searched: bool = True
    pattern: str = ""

    @property
    def range(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        if self.low is None:
            return "mean, X0,Y0,X1,Y1 in px or A,B in nm" if self.pattern else "any text"
        return f"{type(self.default).__name__} from {self.low:g} to {self.high:g}" + (
            f" {self.unit}" if self.unit else ""
        )

    def check(self, value: Value) -> Value:
        """The value as a plain Python object of the parameter's type.

        Strings are parsed, numpy scalars unwrapped.

        Raises
        ------
        InputError
            If the value is of the wrong type or out of range.

        Examples
        --------
        >>> parameter("n_clusters").check("4")
        4
        """
        kind = type(self.default)
        value = value.item() if hasattr(value, "item") else value
        try:
            if isinstance(value, bool) or (kind is int and float(value) != int(float(value))):
                raise ValueError
            value = str(value) if kind is str else kind(float(value))
        except (TypeError, ValueError, OverflowError):
            raise InputError(
                f"parameter {self.name}: {value!r} is not {_article(kind)}; give {self.range}"
            ) from None
        if not self._admits(value):
            raise InputError(f"parameter {self.name}: {value!r} is out of range; give {self.range}")
        return value

    def _admits(self, value: Value) -> bool:
        if self.choices:
            return value in self.choices
        if self.pattern:
            return re.fullmatch(self.pattern, value) is not None
        return self.low is None or self.high is None or self.low <= value <= self.high


def _article(kind: type) -> str:
    return {int: "a whole number", float: "a number", str: "a word"}[kind]


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "detection_scale",
        "columns",
        1.0,
        "width of the blob filter relative to the lattice's own scale",
        0.7,
        1.4,
        searched=False,
    ),
    Parameter(
        "refinement_radius",
        "columns",
        0.45,
        "half width of the fit window of a column",
        0.3,
        0.6,
        unit="plane spacings",
        searched=False,
    ),
    Parameter(
        "descriptor",
        "descriptors",
        "windows",
        "descriptor of a cell: windows, measured quantities or fields, or an autoencoder",
        choices=DESCRIPTORS,
        searched=False,
    ),
    Parameter(
        "site",
        "descriptors",
        "A",
        "where windows are centered: A column, B column, cell center, or all columns",
        choices=SITES,
    ),
    Parameter(
        "window_height",
        "descriptors",
        1.54,
        "window along the lattice vector b",
        0.5,
        2.5,
        unit="cells",
    ),
    Parameter(
        "window_width",
        "descriptors",
        1.54,
        "window along the lattice vector a",
        0.5,
        2.5,
        unit="cells",
    ),
    Parameter(
        "normalisation",
        "descriptors",
        "none",
        "normalization of every window",
        choices=NORMALIZATIONS,
    ),
    Parameter("binning", "descriptors", 1, "samples averaged along both axes of the window", 1, 3),
    Parameter(
        "n_components",
        "descriptors",
        2,
        "principal components kept; 0 keeps all samples",
        0,
        10,
    ),
    Parameter("method", "clustering", "gmm", "clustering method", choices=METHODS, searched=False),
    Parameter("n_clusters", "clustering", 5, "number of clusters", 2, 8),
    Parameter(
        "covariance", "clustering", "full", "shape of the mixture's components", choices=COVARIANCES
    ),
    Parameter(
        "invariance",
        "autoencoder",
        VAESettings.invariance,
        "what the autoencoder separates from the content",
        choices=INVARIANCES,
        searched=False,
    ),
    Parameter(
        "condition",
        "autoencoder",
        "none",
        "condition of an autoencoder for windows on all columns: none, or the cation (A or B)",
        choices=("none", "cation"),
        searched=False,
    ),
    Parameter(
        "latent_dim",
        "autoencoder",
        VAESettings.latent_dim,
        "dimensions of the content",
        1,
        3,
        searched=False,
    ),
    Parameter(
        "kl_weight",
        "autoencoder",
        VAESettings.kl_weight,
        "weight of the KL divergence from the prior",
        0.001,
        10,
        searched=False,
    ),
    Parameter(
        "kl_schedule",
        "autoencoder",
        VAESettings.kl_schedule,
        "schedule of that weight over the epochs",
        choices=SCHEDULES,
        searched=False,
    ),
    Parameter(
        "learning_rate",
        "autoencoder",
        VAESettings.learning_rate,
        "learning rate of the training",
        1e-4,
        0.05,
        searched=False,
    ),
    Parameter(
        "vae_seed",
        "autoencoder",
        VAESettings.seed,
        "seed of weights and training",
        0,
        2**31 - 1,
        searched=False,
    ),
    Parameter("epochs", "autoencoder", 30, "passes over the windows", 0, 10_000, searched=False),
)

_NUMBER = r"-?\d+(\.\d+)?"

#: Parameters of a run that are not choices of the analysis.
#:
#: :meta hide-value:
RUN_PARAMETERS: tuple[Parameter, ...] = (
    Parameter("budget", "optimization", 64, "configurations that the search evaluates", 2, 100_000),
    Parameter(
        "bright",
        "lattice",
        "A",
        "the brighter of the two sublattices; the polar displacement is that of B",
        choices=("A", "B"),
    ),
    Parameter(
        "polar_sign",
        "lattice",
        1,
        "polarization along (1) or against (-1) the displacement of B: direction of the arrows",
        choices=(1, -1),
    ),
    Parameter(
        "born_charge",
        "lattice",
        0.0,
        "size of the Born effective charge of B in e, for the charge of walls; 0: not given",
        0.0,
        20.0,
    ),
    Parameter(
        "strain_reference",
        "lattice",
        "mean",
        "reference cell of the strain",
        pattern=rf"mean|{_NUMBER}(,{_NUMBER}){{1}}|{_NUMBER}(,{_NUMBER}){{3}}",
    ),
    Parameter(
        "tilt",
        "lattice",
        "none",
        "apparent displacement due to mistilt to subtract from the polar displacement",
        choices=TILTS,
    ),
    Parameter("check", "check", 0, "searches with other seeds, to compare with the answer", 0, 20),
    Parameter(
        "vae_budget",
        "autoencoder",
        4,
        "autoencoders that the search trains; 0 leaves them out",
        0,
        10_000,
    ),
    Parameter(
        "layout",
        "phantom",
        "junction",
        "arrangement of the variants of the phantom",
        choices=tuple(layout_names()),
    ),
    Parameter("cells", "phantom", 60, "unit cells along each side of the phantom", 16, 1000),
    Parameter(
        "dose", "phantom", 30.0, "counts at the peak of an A column of the phantom", 1, 100_000
    ),
    Parameter(
        "series", "series", "", "folder of the Sm-BFO series; without it a small one is simulated"
    ),
    Parameter("pairs", "series", 5, "largest number of images of each composition", 1, 5),
    Parameter(
        "series_budget",
        "series",
        32,
        "configurations that every search of the series evaluates",
        2,
        100_000,
    ),
    Parameter(
        "series_pixel_nm",
        "series",
        0.0,
        "pixel size of the series; 0 leaves lengths in px",
        0.0,
        0.5,
        unit="nm",
    ),
)


def parameter_names() -> list[str]:
    """Names of all parameters in the order of the workflow."""
    return [p.name for p in PARAMETERS]


def parameter(name: str, space: tuple[Parameter, ...] = PARAMETERS) -> Parameter:
    """The parameter of that name.

    Raises
    ------
    InputError
        If there is none; the message lists all names.
    """
    for parameter in space:
        if parameter.name == name:
            return parameter
    raise InputError(
        f"parameter '{name}': no such parameter; choose from {', '.join(p.name for p in space)}"
    )


def check_parameters(
    given: Mapping[str, Value], space: tuple[Parameter, ...] = PARAMETERS
) -> dict[str, Value]:
    """Values checked against a declaration: names known, types right, values in range.

    Examples
    --------
    >>> check_parameters({"n_clusters": "4", "dose": 30}, PARAMETERS + RUN_PARAMETERS)
    {'n_clusters': 4, 'dose': 30.0}
    """
    return {name: parameter(name, space).check(value) for name, value in given.items()}


def parse_parameters(pairs: Sequence[str], run: bool = False) -> dict[str, Value]:
    """Checked values of ``name=value`` pairs: of the workflow's parameters, and the run's too.

    Raises
    ------
    InputError
        For a pair without "=", an unknown name, a wrong type or a value out of range.

    Examples
    --------
    >>> parse_parameters(["n_clusters=4", "site=cell"])
    {'n_clusters': 4, 'site': 'cell'}
    """
    for pair in pairs:
        if "=" not in pair:
            raise InputError(f"parameter '{pair}': no value; write it as name=value")
    space = PARAMETERS + (RUN_PARAMETERS if run else ())
    return check_parameters(dict(pair.split("=", 1) for pair in pairs), space)


def default_parameters() -> dict[str, Value]:
    """The default configuration: choices published for images of the Sm-BFO series (40 x 40 px
    windows, two components, five clusters of full covariance; Elemental Microscopy EM000006). There
    the windows lie on all columns; to place them on A columns is our choice.
    """
    return {p.name: p.default for p in PARAMETERS}


def complete_parameters(given: Mapping[str, Value]) -> dict[str, Value]:
    """Checked values for every parameter: those given, defaults for the others.

    Examples
    --------
    >>> complete_parameters({"n_clusters": 3})["n_clusters"], complete_parameters({})["site"]
    (3, 'A')
    """
    return default_parameters() | check_parameters(given)


def searched_parameters(
    sites: tuple[str, ...] = CELL_SITES, whole: bool = False
) -> tuple[Parameter, ...]:
    """The parameters that a search varies, with the sites that the image has; with ``whole`` also
    column finding. A search does not use the site of all columns, which costs two windows per cell.
    """
    varied = [p for p in PARAMETERS if p.searched or (whole and p.stage == "columns")]
    return _ranged(varied, {"n_components": (2, 10)}, sites)  # a single one tells apart too little


def format_value(value: Value) -> str:
    """A value for a table: numbers with three digits, words and integers unchanged.

    Examples
    --------
    >>> format_value(1.5432), format_value(4), format_value("gmm")
    ('1.54', '4', 'gmm')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


#: Starting point of the search for an autoencoder.
AUTOENCODER_CHOICES: dict[str, Value] = {
    "descriptor": "vae",
    "site": "cell",
    "window_height": 1.5,
    "window_width": 1.5,
    "binning": 2,
}


def searched_vae_parameters(sites: tuple[str, ...] = CELL_SITES) -> tuple[Parameter, ...]:
    """The parameters that the search for an autoencoder varies, with useful ranges."""
    ranges = {
        "window_height": (1.0, 2.0),
        "window_width": (1.0, 2.0),
        "kl_weight": (0.02, 0.3),
        "learning_rate": (0.002, 0.008),
        "vae_seed": (0, 3),
    }
    names = (
        "site",
        "window_height",
        "window_width",
        "normalisation",
        "invariance",
        "latent_dim",
        "kl_weight",
        "kl_schedule",
        "learning_rate",
        "vae_seed",
    )
    return _ranged(map(parameter, names), ranges, sites)


def _ranged(
    parameters: Iterable[Parameter],
    ranges: Mapping[str, tuple[float, float]],
    sites: tuple[str, ...],
) -> tuple[Parameter, ...]:
    """Parameters with narrower ranges where given, and the sites that the image offers."""
    varied = []
    for p in parameters:
        low, high = ranges.get(p.name, (p.low, p.high))
        varied.append(
            replace(p, low=low, high=high, choices=sites if p.name == "site" else p.choices)
        )
    return tuple(varied)


@dataclass(frozen=True)
class SearchPlan:
    """Settings of a search.

    Attributes
    ----------
    budget : int
        Number of trials.
    seed : int
        Seed of the search and of every clustering.
    total : mapping of str to float
        Rewards that make the total, with their exponents.
    fixed : mapping of str to value
        Parameters that are set and not varied.
    goal : {"total", "pareto", "nsga2"}
        Maximize the total, or cover the front of continuity, straightness and evidence, by a
        surrogate (ParEGO) or a genetic search (NSGA-II).
    whole : bool
        Vary the column finding as well.
    evidence : str
        Kind of reference field, see :func:`bfo_utils.rewards.measure_reference`;
        :func:`bfo_utils.results.analyze` prepares it.
    autoencoders : int
        Number of autoencoders that :func:`bfo_utils.search.search_autoencoders` starts.
    bright, polar_sign, born_charge, strain_reference
        Conventions of the measured field, see :func:`bfo_utils.search.prepare_image`.
    scan_axis : str
        Fast axis of the scan, see :func:`bfo_utils.lattice.measure_scan`;
        :func:`bfo_utils.results.analyze` corrects it.
    tilt : {"none", "offset", "smooth"}
        Which part of the mistilt is subtracted, see :func:`bfo_utils.search.prepare_image`.
    check : int
        Number of further searches, with other seeds, to compare with the answer.
    """

    budget: int = 64
    seed: int = 0
    total: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_TOTAL))
    fixed: Mapping[str, Value] = field(default_factory=dict)
    goal: str = "total"
    whole: bool = False
    evidence: str = "auto"
    autoencoders: int = 0
    scan_axis: str = "auto"
    bright: str = "A"
    polar_sign: int = 1
    born_charge: float = 0.0
    strain_reference: str = "mean"
    tilt: str = "none"
    check: int = 0

    def __post_init__(self):
        if self.goal not in GOALS:
            raise InputError(f"goal '{self.goal}': no such goal; choose one of {', '.join(GOALS)}")
        if self.goal == "nsga2":
            require_extra("--goal nsga2", "genetic", "optuna")
        check_axis(self.scan_axis)
        check_tilt(self.tilt)

    @property
    def preparation(self) -> dict[str, Value]:
        """What :func:`bfo_utils.search.prepare_image` takes of it."""
        columns = ("detection_scale", "refinement_radius")
        return {k: v for k, v in self.fixed.items() if k in columns} | {
            name: getattr(self, name) for name in _PREPARED
        }
