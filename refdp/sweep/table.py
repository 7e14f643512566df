"""The sweep's table, for a terminal (rich) and as plain aligned text, and the words for its numbers.

Bounds are rounded outwards (lower ones down, upper ones up), so that what is printed is still a bound.
"""

from __future__ import annotations

import math
import textwrap
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import TYPE_CHECKING, Any

from refdp.sweep.records import number

if TYPE_CHECKING:
    from rich.table import Table

Cell = dict[str, Any]
Row = tuple[float, float | None, str]
Column = tuple[str, float]
BEST, BELOW = "*", "!"


def _three_digits(value: float, rounding: str) -> str:
    """Three significant digits, rounded as told: 3.85, 77.3, 284, 1.02e5."""
    if value == 0 or math.isinf(value):
        return "inf" if value else "0"
    short = Context(prec=3, rounding=rounding).create_decimal(repr(value))
    exponent = short.adjusted()
    if -4 < exponent < 4:
        return f"{short:.{max(0, 2 - exponent)}f}"
    return f"{short.scaleb(-exponent):.2f}e{exponent}"


def epsilon_text(epsilon: dict[str, Any]) -> str:
    """Both bounds in short: "3.10-3.43", "<= 3.43" without a lower one, ">= 3.10" without an upper one."""
    lower, upper = epsilon["lower"], epsilon["upper"]
    low = None if lower is None else _three_digits(number(lower), ROUND_FLOOR)
    high = None if upper is None else _three_digits(number(upper), ROUND_CEILING)
    if low is None:
        return "unknown" if high is None else "inf" if high == "inf" else f"<= {high}"
    if high is None:
        return f">= {low}"
    return low if low == high else f"{low}-{high}"


def upper_text(epsilon: dict[str, Any]) -> str:
    """The upper bound alone in short: "3.43", "inf", "unknown"."""
    upper = epsilon["upper"]
    return "unknown" if upper is None else _three_digits(number(upper), ROUND_CEILING)


def delta_text(delta: float) -> str:
    """1e-5, not 1e-05."""
    return f"{delta:g}".replace("e-0", "e-")


def setting_text(setting: dict[str, Any]) -> str:
    """What every epsilon of the sweep is about: "delta = 1e-5, add-remove, poisson"."""
    return f"delta = {delta_text(setting['delta'])}, {setting['neighboring']}, {setting['sampling']}"


def columns(summary: dict[str, Any]) -> list[Column]:
    """The (clipping, clip norm) of the sweep's cells, sorted."""
    return sorted({(cell["clipping"], cell["clip_norm"]) for cell in summary["cells"]})


def row_of(cell: Cell) -> Row:
    """The row a cell belongs to: noise multiplier, target epsilon, and the epsilon beside it."""
    return cell["noise_multiplier"], cell["target_epsilon"], epsilon_text(cell["epsilon"])


def rows(summary: dict[str, Any]) -> list[Row]:
    """The rows of the sweep's cells, the least noise first."""
    found = {row_of(cell) for cell in summary["cells"]}
    return sorted(found, key=lambda row: (row[0], row[1] or 0, row[2]))


def accuracy_text(cell: Cell) -> str:
    """Mean and spread over seeds, "0.917 ±0.021"; the mean alone for one seed."""
    return f"{cell['mean']:.3f}" + ("" if cell["std"] is None else f" ±{cell['std']:.3f}")


def cell_key(cell: Cell) -> tuple[Any, ...]:
    """What tells the cells of a summary apart."""
    return cell["clipping"], cell["clip_norm"], cell["noise_multiplier"], cell["target_epsilon"]


def below_half(summary: dict[str, Any]) -> set[tuple[Any, ...]]:
    """The ``cell_key`` of the cells below half the baseline."""
    return {cell_key(cell) for cell in summary["privacy_cliff"]["configurations"]}


def _heads(summary: dict[str, Any]) -> list[str]:
    several = len({clipping for clipping, _ in columns(summary)}) > 1
    return [(f"{clipping} " if several else "") + f"C = {norm:g}" for clipping, norm in columns(summary)]


def _body(summary: dict[str, Any]) -> list[list[str]]:
    """Noise multiplier, epsilon, then a marked accuracy a column, for each row."""
    cells = {(row_of(cell), (cell["clipping"], cell["clip_norm"])): cell for cell in summary["cells"]}
    bad = below_half(summary)
    most = max((cell["n"] for cell in summary["cells"]), default=0)
    best = {
        column: max(cell["mean"] for (_, other), cell in cells.items() if other == column)
        for column in columns(summary)
    }

    def text(row: Row, column: Column) -> str:
        cell = cells.get((row, column))
        if cell is None:
            return "-  "
        mark = BELOW if cell_key(cell) in bad else BEST if cell["mean"] == best[column] else " "
        fewer = f" (n={cell['n']})" if cell["n"] < most else ""
        return f"{accuracy_text(cell)}{fewer} {mark}"

    return [
        [f"{row[0]:.6g}", row[2], *(text(row, column) for column in columns(summary))]
        for row in rows(summary)
    ]


def _title(summary: dict[str, Any]) -> str:
    setting = summary["setting"]
    return f"{setting['model']} on {setting['dataset']}: test accuracy, mean ± std over seeds"


def _caption(summary: dict[str, Any]) -> list[str]:
    baseline, runs = summary["baseline"], summary["runs"]
    lines = [f"epsilon: lower-upper bound at {setting_text(summary['setting'])}"]
    if baseline["mean"] is None:
        lines.append(f"without privacy: {baseline['reason']}")
    else:
        seeds = "1 seed" if baseline["n"] == 1 else f"{baseline['n']} seeds"
        lines.append(f"without privacy: {accuracy_text(baseline)} over {seeds}")
    legend = [f"{BEST} best of its column"] if summary["cells"] else []
    if summary["privacy_cliff"]["configurations"]:
        legend.append(f"{BELOW} below half the baseline")
    if runs["done"] < runs["expected"]:
        legend.append(f"{runs['done']} of {runs['expected']} runs done")
    return lines + ["; ".join(legend)] * bool(legend)


def sweep_table(summary: dict[str, Any]) -> Table:
    """The table for a terminal: a row a noise multiplier, a column a clip norm (and clipping)."""
    from rich.table import Table
    from rich.text import Text

    caption = Text("\n".join(_caption(summary)))
    table = Table(title=Text(_title(summary)), caption=caption, title_justify="left", caption_justify="left")
    table.add_column("noise\nmultiplier", justify="right", style="bold", no_wrap=True)
    table.add_column("epsilon", justify="right", no_wrap=True)
    for head in _heads(summary):
        table.add_column(Text(head.replace(" C = ", "\nC = ")), justify="right")
    styles = {BEST: "bold green", BELOW: "red"}
    for row in _body(summary):
        table.add_row(*row[:2], *(Text(text, styles.get(text[-1], "")) for text in row[2:]))
    return table


def plain_table(summary: dict[str, Any], width: int = 100) -> str:
    """The same as aligned text without colour or lines; columns that do not fit go into further blocks."""
    body = _body(summary)
    heads = ["noise multiplier", "epsilon", *(f"{head}  " for head in _heads(summary))]
    grid = [heads, *body]
    widths = [max(len(line[i]) for line in grid) for i in range(len(heads))]
    blocks: list[list[int]] = [[]]
    for i in range(2, len(heads)):
        used = sum(widths[j] + 3 for j in (0, 1, *blocks[-1]))
        if blocks[-1] and used + widths[i] > width:
            blocks.append([])
        blocks[-1].append(i)
    parts = [_title(summary)]
    for block in blocks:
        chosen = [0, 1, *block]
        parts.append(
            "\n".join("   ".join(line[i].rjust(widths[i]) for i in chosen).rstrip() for line in grid)
        )
    caption = [piece for line in _caption(summary) for piece in textwrap.wrap(line, max(width, 40))]
    return "\n\n".join([*parts, "\n".join(caption)]) + "\n"
