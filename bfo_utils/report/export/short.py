"""Short tables of domains and walls: a few columns, values with errors."""

import numpy as np
import pandas as pd

from ...results import Units

_DASH = "–"


def domains_shown(domains: pd.DataFrame, units: Units) -> pd.DataFrame:
    """The table of domains for a page: kind, area, polarization, and cell of each.

    Parameters
    ----------
    domains : DataFrame
        Content of ``domains.csv``.
    units : Units

    Returns
    -------
    DataFrame of str
        Index the names of the domains; errors are standard errors.

    Examples
    --------
    >>> table = pd.DataFrame({"name": ["up, 100 %"], "kind": ["variant"], "area_px2": [90.0]})
    >>> domains_shown(table, Units())["area (px²)"].tolist()
    ['90']
    """
    short, long = units.short, units.long
    shown = {
        "kind": domains["kind"],
        f"area ({units.long}²)": _plain(domains, f"area_{units.area}", 0),
        f"P ({short})": _with_error(domains, f"p_{short}"),
        "direction (°)": _with_error(domains, "p_angle_deg"),
        f"a ({long})": _with_error(domains, f"a_{long}"),
        f"b ({long})": _with_error(domains, f"b_{long}"),
        "a / b": _with_error(domains, "a_over_b"),
        "rotation (°)": _with_error(domains, "rotation_deg"),
    }
    return pd.DataFrame({k: v for k, v in shown.items() if v is not None}).set_axis(
        domains["name"].tolist()
    )


def walls_shown(walls: pd.DataFrame, units: Units) -> pd.DataFrame:
    """The table of walls for a page: domains, length, width, rotation of P, and charge.

    Parameters
    ----------
    walls : DataFrame
        Content of ``walls.csv``.
    units : Units

    Returns
    -------
    DataFrame of str
        Index the numbers of the segments; errors are standard errors.

    Examples
    --------
    >>> names = ["name_1", "name_2", "length_nm"]
    >>> walls = pd.DataFrame([["up, 60 %", "down, 40 %", 3.14]], columns=names)
    >>> walls_shown(walls.assign(segment=0), Units.of(0.02))["between"].tolist()
    ['up | down']
    """
    long = units.long
    between = [
        " | ".join(name.rpartition(", ")[0] for name in pair)
        for pair in walls[["name_1", "name_2"]].itertuples(index=False)
    ]
    shown = {
        "between": between,
        f"length ({long})": _plain(walls, f"length_{long}", 1),
        "direction (°)": _plain(walls, "direction_deg", 0),
        "rotation of P (°)": _with_error(walls, "turn_deg"),
        "possible types": walls.get("wall_types"),
        f"width ({long})": _with_error(walls, f"width_{long}"),
        "charge": walls.get("charge"),
    }
    table = pd.DataFrame(
        {k: list(v) for k, v in shown.items() if v is not None}, index=walls["segment"].tolist()
    )
    return table.replace("", _DASH)


def _plain(table: pd.DataFrame, name: str, digits: int) -> list[str] | None:
    """Values with so many digits; none where there is no such column."""
    if name not in table:
        return None
    return [f"{value:,.{digits}f}" if np.isfinite(value) else _DASH for value in table[name]]


def _with_error(table: pd.DataFrame, name: str) -> list[str] | None:
    """Values with their standard errors, to one digit of the error (two where it begins with 1)."""
    if name not in table or f"se_{name}" not in table:
        return None
    pairs = zip(table[name], table[f"se_{name}"])
    return [value_and_error(v, se).replace(" ", "\N{NO-BREAK SPACE}") for v, se in pairs]


def value_and_error(value: float, error: float) -> str:
    """A value with its standard error, both rounded to the precision of the error.

    Examples
    --------
    >>> value_and_error(34.391, 0.2431), value_and_error(0.39562, 0.00013)
    ('34.4 ± 0.2', '0.39562 ± 0.00013')
    >>> value_and_error(float("nan"), 1.0), value_and_error(3.0, float("nan"))
    ('–', '3')
    """
    if not np.isfinite(value):
        return _DASH
    if not np.isfinite(error) or error <= 0:
        return f"{value:.4g}"
    power = int(np.floor(np.log10(error)))
    digits = max(0, (1 if error / 10.0**power < 1.95 else 0) - power)
    return f"{value:.{digits}f} ± {error:.{digits}f}"
