"""How ``schema0`` was made, a run before results had a ``schema_version``.

In the tree of commit eeccb5b: ``python make_schema0.py FOLDER``. Of the tables only the first 60
rows of ``cells.csv`` are kept, and neither pictures nor notebooks.
"""

import sys
from pathlib import Path


def main(folder: Path) -> None:
    """Write the ``run.json`` and the artifacts of a phantom of 16 x 16 cells."""
    from bfo_utils.files import write_json
    from bfo_utils.optimize import Plan

    from bfo_utils import analysis, book, phantom, recipe, report

    crystal, plan = phantom.Crystal(layout="halves", cells=16, cell_px=14), Plan(4, 1)
    done = analysis.analyze(phantom.simulate(crystal, 1).image, plan)
    made_from = recipe.Recipe(plan, phantom=recipe.Simulation(crystal, 1))
    report.write(done, folder / "artifacts", made_from)
    given = {"layout": "halves", "cells": 16, "budget": 4, "vae_budget": 0}
    settings = book._settings(None, "quick", given, None, None, 1)
    write_json(folder / "run.json", settings | {"finished": ["default/01_data.ipynb"]})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
