"""clippings.png: the clipping rules beside each other, each at its best clip norm, a panel a noise level."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT

from refdp.sweep.plots import frame
from refdp.sweep.rows import (
    Row,
    average,
    best_cells,
    cells_at,
    epsilon_of,
    exceptions,
    noise_of,
    norms,
    rows,
)
from refdp.sweep.words import accuracy_text, setting_text, upper_text

_LEAST_REACH = 0.2  # accuracy: rules no further below the best than this are always on the axis

Best = dict[str, dict[Row, frame.Cell]]
CHOSEN = (
    "The rule and its clip norm were chosen by test accuracy; no epsilon here covers that choice: "
    "each is that of one run alone."
)


def _spread(best: Best, clipping: str) -> float | None:
    """The mean of the rule's spreads over seeds at its levels; None where a level has one seed only."""
    spreads = [cell["std"] for cell in best[clipping].values()]
    return None if None in spreads else math.fsum(spreads) / len(spreads)


def finding(summary: frame.Summary, best: Best) -> str:
    """What the picture shows, in one sentence: which rule is first, and how many are within its spread."""
    first, *others = best
    means = {clipping: average(best, clipping)[0] for clipping in best}
    levels = rows(summary)
    where = f"over {len(levels)} noise levels"
    if len(levels) == 1:
        where = f"at {frame.bound_text(epsilon_of(cells_at(summary, levels[0])))}"
    lead = f"of {len(best)} clipping rules {first} is first {where}: {means[first]:.3f}"
    lead = lead[0].upper() + lead[1:]
    spread = _spread(best, first)
    if spread is None:
        return f"{lead}, then {others[0]} with {means[others[0]]:.3f} (one seed: may be chance)"
    near = [clipping for clipping in others if means[clipping] >= means[first] - spread - 1e-12]
    if len(near) == len(others):
        return f"No clipping rule leads {where}: all {len(best)} are within the spread of {first}, {means[first]:.3f}"
    if not near:
        return f"{lead}, then {others[0]} with {means[others[0]]:.3f}"
    verb = "is" if len(near) == 1 else "are"
    return (
        f"{first} ({means[first]:.3f}) does not lead clearly {where}: {len(near)} of the other {len(others)} "
        f"clipping rules {verb} within its spread"
    )


def _subtitle(summary: frame.Summary, best: Best, width: float) -> str:
    setting = summary["setting"]
    seeds = len(setting["seeds"])
    bars = (
        f"bars: one standard deviation over {seeds} seeds" if seeds > 1 else "one seed, so no spread is known"
    )
    several = len(rows(summary)) > 1
    at = "Each rule at its best clip norm (colour)" + (" at each noise level" if several else "")
    if len(norms(summary)) == 1:
        at = f"Every rule at clip norm {norms(summary)[0]:g}"
    order = "; order: mean over the levels" if several else ""
    lines = [
        f"{setting['model']} on {setting['dataset']}; epsilon: upper bound at {setting_text(setting)}",
        f"{at}; {bars}{order}",
        CHOSEN,
    ]
    runs = summary["runs"]
    if runs["done"] < runs["expected"]:
        lines.append(f"Not finished: {runs['done']} of {runs['expected']} runs done")
    low = _limits(summary, best)[0]
    if any(cell["mean"] < low for cells in best.values() for cell in cells.values()):
        lines[1] += "; ◂: left of the axis, its number is at the right"
    return frame.wrap_lines("\n".join(lines), width)


def _limits(summary: frame.Summary, best: Best) -> tuple[float, float]:
    """An axis at least 0.05 wide with the baseline, and every mean but those far below three quarters of the rest."""
    shown = [cell for cells in best.values() for cell in cells.values()]
    shown += [summary["baseline"]] if summary["baseline"]["mean"] is not None else []
    if not shown:
        return 0.0, 1.0
    low = min(max(0.0, item["mean"] - (item["std"] or 0)) for item in shown)
    high = max(min(1.0, item["mean"] + (item["std"] or 0)) for item in shown)
    quarter = sorted(item["mean"] for item in shown)[len(shown) // 4]
    low = max(low, high - max(_LEAST_REACH, 4 * (high - quarter)))
    pad = max(0.06 * (high - low), 0.5 * (0.05 - (high - low)))
    return low - pad, high + pad


def _panel(
    axis: Axes, summary: frame.Summary, row: Row, best: Best, styles: dict[float, dict[str, Any]]
) -> None:
    """One noise level: a dot a rule, its accuracy in figures at the right, and what is its own in noise or epsilon."""
    here = cells_at(summary, row)
    odd, low = exceptions(here), _limits(summary, best)[0]
    frame.baseline_lines(axis, summary, thresholds=False, upright=True)
    for place, cells in enumerate(best.values()):
        cell = cells.get(row)
        label = "not run"
        if cell is not None:
            axis.errorbar([cell["mean"]], [place], xerr=frame.spreads([cell]), capsize=3, markersize=7,
                          linewidth=0, elinewidth=1.4, markeredgecolor="white", markeredgewidth=0.7,
                          label=frame.norm_text(cell["clip_norm"]), **styles[cell["clip_norm"]])  # fmt: skip
            if cell["mean"] < low:
                axis.plot([0.02], [place], marker=CARETLEFT, transform=axis.get_yaxis_transform(), markersize=8,
                          color=styles[cell["clip_norm"]]["color"])  # fmt: skip
            label = accuracy_text(cell)
        if cell is not None and cell["clipping"] in odd:
            asked = row[0] == "target_epsilon"
            own = f"noise {cell['noise_multiplier']:.6g}" if asked else frame.bound_text(cell["epsilon"])
            label += f"\n{own}"
        axis.annotate(label, (1, place), (5, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                      va="center", fontsize=8.5, linespacing=1.05,
                      color=frame.QUIET if cell is None else frame.INK)  # fmt: skip
    least, most = (choose(here, key=frame.upper) for choose in (min, max))
    usual = [cell for cell in here if cell["clipping"] not in odd]
    title = f"noise {noise_of(here)}, {frame.bound_text(epsilon_of(here))}"
    if row[0] == "target_epsilon":
        title = f"target epsilon {row[1]:g}\n{title}"
    elif usual and upper_text(least["epsilon"]) != upper_text(most["epsilon"]):
        title += f"\n({frame.bound_text(epsilon_of(usual))} where no other is given)"
    axis.set_title(title, fontsize=10, color=frame.INK)


def draw(summary: frame.Summary) -> Figure:
    """A dot a clipping rule: its best mean test accuracy over clip norms, a panel a noise level."""
    best, levels = best_cells(summary), rows(summary)
    across = min(4, len(levels)) if len(levels) not in (5, 6) else 3
    across = max(1, across)
    down = max(1, math.ceil(len(levels) / across))
    names = max([0.4, *(0.075 * len(clipping) for clipping in best)])
    width = max(9.0, 0.4 + names + across * (3.6 if across > 1 else 6.0))
    title = "Clipping rules" if len(best) < 2 else finding(summary, best)
    title, subtitle = frame.wrap(title, width, 14.5), _subtitle(summary, best, width)
    lines = title.count("\n") * 1.5 + subtitle.count("\n")
    height = 1.7 + 0.19 * lines + down * (0.95 + 0.29 * max(2, len(best)))
    figure = frame.canvas(width, height, title, subtitle)
    axes = list(figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).flat)
    if not best:
        frame.say(axes[0], "no private configuration was run")
        return figure
    styles = frame.norm_styles(summary)
    for axis in axes[len(levels) :]:
        axis.set_visible(False)
    for axis, row in zip(axes, levels, strict=False):
        frame.dress(axis)
        _panel(axis, summary, row, best, styles)
        axis.tick_params(labelbottom=True)
    axes[0].set_yticks(range(len(best)), list(best))
    axes[0].set_ylim(len(best) - 0.4, -0.6)
    axes[0].set_xlim(*_limits(summary, best))
    for axis in axes[max(0, len(levels) - across) : len(levels)]:
        axis.set_xlabel("test accuracy")
    shown = {f"panel {i}": axis for i, axis in enumerate(axes[: len(levels)])}
    frame.legend(figure, shown, columns=6, order=[frame.norm_text(norm) for norm in styles])
    return figure
