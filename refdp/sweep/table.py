"""The sweep's table, for a terminal (rich) and as plain aligned text.

One clipping rule: a line a noise level, a column a clip norm. Several: a line a rule, the best first, a column
a noise level and clip norm, so that rules are compared down a column; levels that do not fit go into further
blocks of the same lines.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from refdp.sweep.rows import (
    Cell,
    Row,
    average,
    best_cells,
    cells_at,
    epsilon_of,
    exceptions,
    noise_of,
    norms,
    row_of,
    rows,
)
from refdp.sweep.words import accuracy_text, epsilon_text, setting_text

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

BEST, BELOW = "*", "!"
WIDTH = 120


@dataclass(frozen=True)
class _Column:
    """One column: the number of its group, its head, a text a line."""

    group: int
    head: str
    texts: list[str]


@dataclass(frozen=True)
class _Layout:
    """Text of a table before it is cut into blocks: ``stubs`` stand in every block; ``titles`` are a group's."""

    stubs: list[_Column]
    columns: list[_Column]
    titles: list[tuple[str, ...]]
    legend: str

    @property
    def several(self) -> bool:
        """Whether groups have titles: the layout of several rules."""
        return any(self.titles)


def cell_key(cell: Cell) -> tuple[Any, ...]:
    """What tells the cells of a summary apart."""
    return cell["clipping"], cell["clip_norm"], cell["noise_multiplier"], cell["target_epsilon"]


def below_half(summary: dict[str, Any]) -> set[tuple[Any, ...]]:
    """The ``cell_key`` of the cells below half the baseline."""
    return {cell_key(cell) for cell in summary["privacy_cliff"]["configurations"]}


def _level_lines(cells: list[Cell]) -> tuple[str, ...]:
    name, value = row_of(cells[0])
    lines = (f"noise {noise_of(cells)}", f"epsilon {epsilon_text(epsilon_of(cells))}")
    return (f"target epsilon {value:g}", *lines) if name == "target_epsilon" else lines


def _layout(summary: dict[str, Any]) -> _Layout:
    cells = {(cell["clipping"], row_of(cell), cell["clip_norm"]): cell for cell in summary["cells"]}
    bad, rules, levels = below_half(summary), list(best_cells(summary)), rows(summary)
    most = max((cell["n"] for cell in summary["cells"]), default=0)
    several = len(rules) > 1

    def rivals(cell: Cell) -> Any:
        return row_of(cell) if several else cell["clip_norm"]

    best: dict[Any, float] = {}
    for cell in summary["cells"]:
        best[rivals(cell)] = max(cell["mean"], best.get(rivals(cell), 0.0))

    def text(clipping: str, row: Row, norm: float) -> str:
        cell = cells.get((clipping, row, norm))
        if cell is None:
            return "-  "
        mark = BELOW if cell_key(cell) in bad else BEST if cell["mean"] == best[rivals(cell)] else " "
        fewer = f" (n={cell['n']})" if cell["n"] < most else ""
        return f"{accuracy_text(cell)}{fewer} {mark}"

    heads = {norm: f"C = {norm:g}  " for norm in norms(summary)}
    if several:
        columns = [
            _Column(i, heads[norm], [text(clipping, row, norm) for clipping in rules])
            for i, row in enumerate(levels)
            for norm in heads
        ]
        longest, best_of = max(map(len, ("clipping", *rules))), best_cells(summary)
        stubs = [
            _Column(-2, "clipping".ljust(longest), [rule.ljust(longest) for rule in rules]),
            _Column(-1, "mean", [f"{average(best_of, rule)[0]:.3f}" for rule in rules]),
        ]
        titles = [_level_lines(cells_at(summary, row)) for row in levels]
        return _Layout(stubs, columns, titles, "best at its noise level")
    columns = [
        _Column(i, head, [text(clipping, row, norm) for clipping in rules for row in levels])
        for i, (norm, head) in enumerate(heads.items())
    ]
    here = [cells_at(summary, row) for row in levels]
    stubs = [
        _Column(-2, "noise multiplier", [noise_of(cells) for cells in here]),
        _Column(-1, "epsilon", [epsilon_text(epsilon_of(cells)) for cells in here]),
    ]
    return _Layout(stubs, columns, [()] * len(columns), "best of its column")


def _section(columns: list[_Column], titles: tuple[str, ...], height: int) -> list[str]:
    """The lines of neighbouring columns under their common titles, ``height`` lines of these, all equally wide."""
    widths = [max(map(len, (column.head, *column.texts))) for column in columns]
    span = max(sum(widths) + 3 * (len(columns) - 1), *map(len, titles), 0)
    widths[-1] += span - sum(widths) - 3 * (len(columns) - 1)
    above = [title.ljust(span) for title in (*titles, *[""] * (height - len(titles)))]
    lines = zip(*([column.head, *column.texts] for column in columns), strict=True)
    return above + ["   ".join(t.rjust(w) for t, w in zip(line, widths, strict=True)) for line in lines]


def _block(layout: _Layout, columns: list[_Column]) -> list[str]:
    """The lines of one block: the stubs, then these columns."""
    height = max(map(len, layout.titles), default=0)
    sections = [_section(layout.stubs, (), height)]
    for group, mine in groupby(columns, key=lambda column: column.group):
        sections.append(_section(list(mine), layout.titles[group], height))
    separator = "  |  " if layout.several else "   "
    return [separator.join(parts).rstrip() for parts in zip(*sections, strict=True)]


def _blocks(layout: _Layout, width: int) -> list[list[_Column]]:
    """The columns of each block: whole groups where they fit, else as many columns as do, and at least one."""

    def fits(columns: list[_Column]) -> bool:
        return max(map(len, _block(layout, columns))) <= width

    blocks: list[list[_Column]] = [[]]
    for _, group in groupby(layout.columns, key=lambda column: column.group):
        mine = list(group)
        if blocks[-1] and not fits(blocks[-1] + mine):
            blocks.append([])
        for column in mine:
            if blocks[-1] and not fits([*blocks[-1], column]):
                blocks.append([])
            blocks[-1].append(column)
    return blocks


def _title(summary: dict[str, Any]) -> str:
    setting = summary["setting"]
    return f"{setting['model']} on {setting['dataset']}: test accuracy, mean ± std over seeds"


def _exception_lines(summary: dict[str, Any]) -> list[str]:
    """Which rules have another noise multiplier or epsilon than most at their level: a line a rule."""
    found: dict[str, list[str]] = {}
    for row in rows(summary):
        for clipping, cells in exceptions(cells_at(summary, row)).items():
            words = f"epsilon {epsilon_text(epsilon_of(cells))} at noise {row[1]:.6g}"
            if row[0] == "target_epsilon":
                own = f"noise {noise_of(cells)}, epsilon {epsilon_text(epsilon_of(cells))}"
                words = f"{own} at target epsilon {row[1]:.6g}"
            found.setdefault(clipping, []).append(words)
    return [f"{clipping} differs: {'; '.join(words)}" for clipping, words in sorted(found.items())]


def _caption(summary: dict[str, Any], layout: _Layout) -> list[str]:
    baseline, runs = summary["baseline"], summary["runs"]
    lines = [f"epsilon: lower-upper bound at {setting_text(summary['setting'])}"]
    if layout.several:
        lines[0] += "; noise: noise multiplier"
        differ = _exception_lines(summary)
        lines += ["noise and epsilon are ranges over the rules where these differ"] * bool(differ) + differ
    if baseline["mean"] is None:
        lines.append(f"without privacy: {baseline['reason']}")
    else:
        seeds = "1 seed" if baseline["n"] == 1 else f"{baseline['n']} seeds"
        lines.append(f"without privacy: {accuracy_text(baseline)} over {seeds}")
    if layout.several:
        lines.append("mean (and order): over the noise levels, each at the rule's best clip norm C there")
    legend = [f"{BEST} {layout.legend}"] if summary["cells"] else []
    if summary["privacy_cliff"]["configurations"]:
        legend.append(f"{BELOW} below half the baseline")
    if runs["done"] < runs["expected"]:
        legend.append(f"{runs['done']} of {runs['expected']} runs done")
    return lines + ["; ".join(legend)] * bool(legend)


def _rich(layout: _Layout, columns: list[_Column]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for stub in layout.stubs:
        head = stub.head.strip() if layout.several else stub.head.replace("noise m", "noise\nm")
        justify: Any = "left" if stub.head.startswith("clipping") else "right"
        table.add_column(head, justify=justify, style="bold" if stub is layout.stubs[0] else "", no_wrap=True)
    for column in columns:
        head = "\n".join((*layout.titles[column.group], column.head.strip()))
        table.add_column(Text(head), justify="right")
    styles = {BEST: "bold green", BELOW: "red"}
    for i in range(len(layout.stubs[0].texts)):
        cells = [Text(column.texts[i], styles.get(column.texts[i][-1], "")) for column in columns]
        table.add_row(*(Text(stub.texts[i].rstrip()) for stub in layout.stubs), *cells)
    return table


def sweep_table(summary: dict[str, Any], width: int = WIDTH) -> Group:
    """The table for a terminal of so many columns: one rich table a block, between title and caption."""
    from rich.console import Group
    from rich.text import Text

    layout = _layout(summary)
    blocks = _blocks(layout, max(40, width)) if layout.several else [layout.columns]
    tables = [_rich(layout, columns) for columns in blocks]
    title, caption = Text(_title(summary), "italic"), Text("\n".join(_caption(summary, layout)), "dim italic")
    return Group(title, *tables, caption)


def plain_table(summary: dict[str, Any], width: int = WIDTH) -> str:
    """The same as aligned text without colour or lines, ``width`` wide where the columns allow it."""
    layout = _layout(summary)
    blocks = ["\n".join(_block(layout, columns)) for columns in _blocks(layout, width)]
    caption = [piece for line in _caption(summary, layout) for piece in textwrap.wrap(line, max(width, 40))]
    return "\n\n".join([_title(summary), *blocks, "\n".join(caption)]) + "\n"
