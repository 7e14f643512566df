"""The rows and columns that the table and the pictures are made of, and the order of the clipping rules.

A row is one noise level: what was asked for, a noise multiplier or a target epsilon. All rules at that level
belong to it, even where their ledgers differ and so their noise multipliers or epsilons; then the row is
labelled with the range over the rules, and ``exceptions`` names those that differ from the most.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from refdp.sweep.records import level
from refdp.sweep.summary import hull
from refdp.sweep.words import epsilon_text, noise_text

Cell = dict[str, Any]
Row = tuple[str, float]
Column = tuple[str, float]

row_of = level
"""The row of a cell: ("noise_multiplier" or "target_epsilon", its value)."""


def columns(summary: dict[str, Any]) -> list[Column]:
    """The (clipping, clip norm) of the sweep's cells, sorted."""
    return sorted({(cell["clipping"], cell["clip_norm"]) for cell in summary["cells"]})


def norms(summary: dict[str, Any]) -> list[float]:
    """The clip norms of the sweep's cells, sorted."""
    return sorted({norm for _, norm in columns(summary)})


def cells_at(summary: dict[str, Any], row: Row) -> list[Cell]:
    """The cells of one row."""
    return [cell for cell in summary["cells"] if row_of(cell) == row]


def rows(summary: dict[str, Any]) -> list[Row]:
    """The rows of the sweep's cells, the least noise first."""
    least: dict[Row, float] = {}
    for cell in summary["cells"]:
        row = row_of(cell)
        least[row] = min(cell["noise_multiplier"], least.get(row, math.inf))
    return sorted(least, key=lambda row: (least[row], row))


def noise_of(cells: list[Cell]) -> str:
    """The noise multiplier of these cells in words, or its range."""
    return noise_text([cell["noise_multiplier"] for cell in cells])


def epsilon_of(cells: list[Cell]) -> dict[str, Any]:
    """The bounds that hold for all of these cells."""
    return hull([cell["epsilon"] for cell in cells])


def exceptions(cells: list[Cell]) -> dict[str, list[Cell]]:
    """Of the cells of one row: by clipping, those whose noise or epsilon is not what most rules have there."""
    groups: dict[Any, dict[str, list[Cell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        words = noise_of([cell]), epsilon_text(cell["epsilon"])
        groups[words][cell["clipping"]].append(cell)
    least = {
        words: min(c["noise_multiplier"] for own in rules.values() for c in own)
        for words, rules in groups.items()
    }
    usual = min(groups, key=lambda words: (-len(groups[words]), least[words]), default=None)
    found: dict[str, list[Cell]] = {}
    for words, rules in groups.items():
        for clipping, own in rules.items() if words != usual else ():
            found.setdefault(clipping, []).extend(own)
    return found


def best_cells(summary: dict[str, Any]) -> dict[str, dict[Row, Cell]]:
    """Each rule's best cell over clip norms at each noise level; the rules with the highest accuracy first.

    Rules are ordered by the mean of those over the levels that all rules have, if there are any. Ties go to
    the smaller clip norm, and among rules to the name.
    """
    found: dict[str, dict[Row, Cell]] = defaultdict(dict)
    for cell in summary["cells"]:  # clip norms in ascending order
        best = found[cell["clipping"]].get(row_of(cell))
        if best is None or cell["mean"] > best["mean"]:
            found[cell["clipping"]][row_of(cell)] = cell
    return dict(sorted(found.items(), key=lambda item: (-average(found, item[0])[0], item[0])))


def average(best: dict[str, dict[Row, Cell]], clipping: str) -> tuple[float, int]:
    """A rule's mean accuracy over the levels that all rules of ``best`` have (or its own), and their number."""
    common = set.intersection(*(set(cells) for cells in best.values()))
    means = [cell["mean"] for row, cell in best[clipping].items() if row in common or not common]
    return round(math.fsum(means) / len(means), 12), len(means)
