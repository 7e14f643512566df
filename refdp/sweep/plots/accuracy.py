"""accuracy_vs_epsilon.png: what privacy costs, against what is proved of it."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from refdp.sweep.plots import frame
from refdp.sweep.words import setting_text, upper_text

Summary = frame.Summary
_WIDE = 1.1  # upper over lower bound: below this, the two are one point in the picture

_AXIS = 1e-9, 1e15  # epsilons worth a place on the axis


def _shown(cells: list[frame.Cell]) -> list[frame.Cell]:
    """The cells that a logarithmic axis can show, by epsilon."""
    low, high = _AXIS
    return sorted((cell for cell in cells if low <= frame.upper(cell) <= high), key=frame.upper)


def _wide(cell: frame.Cell) -> bool:
    lower = cell["epsilon"]["lower"]
    return lower not in (None, "inf") and 0 < lower < frame.upper(cell) / _WIDE


def _line(axis: Axes, cells: list[frame.Cell], label: str, style: dict[str, Any]) -> None:
    """One clip norm: means with their spread over seeds, and the width of the bounds on epsilon."""
    x, y = [frame.upper(cell) for cell in cells], [cell["mean"] for cell in cells]
    axis.errorbar(x, y, yerr=frame.spreads(cells), capsize=3, linewidth=1.8, markersize=6.5, elinewidth=1.2,
                  markeredgecolor="white", markeredgewidth=0.7, label=label, **style)  # fmt: skip
    for cell in filter(_wide, cells):
        ends = [cell["epsilon"]["lower"], frame.upper(cell)]
        axis.plot(ends, [cell["mean"]] * 2, color=style["color"], linewidth=5, alpha=0.3,
                  solid_capstyle="butt")  # fmt: skip


def _noise_axis(axis: Axes, cells: list[frame.Cell], room: float) -> None:
    """The noise multipliers along the top, where each epsilon belongs to one of them.

    ``room`` is the share of the axis that a label takes; labels that would touch are left out.
    """
    pairs = {(frame.upper(cell), cell["noise_multiplier"]) for cell in cells}
    ticks = dict(pairs)
    if len(pairs) > len(ticks):
        return
    low, high = (math.log(limit) for limit in axis.get_xlim())
    shown: list[float] = []
    for epsilon in sorted(ticks):
        if not shown or math.log(epsilon / shown[-1]) > room * (high - low):
            shown.append(epsilon)
    top = axis.secondary_xaxis("top")
    top.set_xscale("log")
    top.set_xticks(shown, [f"{ticks[epsilon]:.3g}" for epsilon in shown])
    top.set_xticks([], minor=True)
    top.tick_params(labelsize=9, colors=frame.QUIET, length=3)
    top.spines["top"].set_visible(False)
    top.set_xlabel("noise multiplier", fontsize=9.5, color=frame.QUIET)


def _many(summary: Summary) -> bool:
    """Whether panels are too narrow for the whole setting below each."""
    return len(frame.clippings(summary)) > 2


def _subtitle(summary: Summary) -> str:
    setting, region = summary["setting"], summary["safe_region"]
    seeds = len(setting["seeds"])
    lines = [f"{setting['model']} on {setting['dataset']}; bars: one standard deviation over {seeds} seeds"]
    if seeds == 1:
        lines = [f"{setting['model']} on {setting['dataset']}; one seed, so no spread is known"]
    if region["exists"]:
        start = upper_text({"upper": region["starts_at_epsilon"]})
        where = f"clip norm {region['clip_norm']:g}"
        if len(frame.clippings(summary)) > 1:
            where = f"{region['clipping']}, {where}"
        lines.append(f"Green: from epsilon {start} up, {where} keeps 90 % of the baseline")
    else:
        lines.append(f"No safe region: {region['reason']}")
    if any(map(_wide, _shown(summary["cells"]))):
        lines[0] += "; pale: from lower to upper bound"
    infinite = sum(math.isinf(frame.upper(cell)) for cell in summary["cells"])
    unknown = sum(math.isnan(frame.upper(cell)) for cell in summary["cells"])
    beyond = len(summary["cells"]) - len(_shown(summary["cells"])) - infinite - unknown
    counts = [
        (infinite, "an infinite epsilon"),
        (unknown, "an unknown epsilon"),
        (beyond, "one off the axis"),
    ]
    left_out = [f"{count} with {what}" for count, what in counts if count]
    if left_out:
        lines[0] += "; left out: " + ", ".join(left_out)
    if _many(summary):
        lines.append(f"epsilon at {setting_text(setting)}")
    return "\n".join(lines)


def draw(summary: Summary) -> Figure:
    """Accuracy against the upper bound on epsilon, a line a clip norm, a panel a clipping."""
    figure, axes = frame.panels(summary, "Accuracy against privacy", _subtitle(summary), (9.0, 5.9))
    styles, region = frame.norm_styles(summary), summary["safe_region"]
    for clipping, axis in axes.items():
        cells = _shown(frame.cells_of(summary, clipping))
        frame.accuracy_limits(axis, summary)
        if not cells:
            frame.say(axis, "no configuration has an epsilon to show")
            continue
        lowest, highest = frame.upper(cells[0]), frame.upper(cells[-1])
        lowers = [cell["epsilon"]["lower"] for cell in filter(_wide, cells)]
        frame.log_axis(axis, max(lowest / 10, min([lowest, *lowers])), highest)
        for norm, style in styles.items():
            _line(axis, [cell for cell in cells if cell["clip_norm"] == norm], frame.norm_text(norm), style)
        frame.baseline_lines(axis, summary)
        if region["exists"] and region["clipping"] == clipping:
            left, end = axis.get_xlim()
            start = min(end, max(left, region["starts_at_epsilon"]))
            axis.axvspan(start, end, color=frame.SAFE, alpha=0.08, linewidth=0, label="safe region")
            axis.axvline(start, color=frame.SAFE, linewidth=1, alpha=0.6, zorder=1)
        where = "" if _many(summary) else f" at {setting_text(summary['setting'])}"
        axis.set_xlabel(f"epsilon{where} (upper bound)")
        _noise_axis(axis, cells, 0.42 * frame.across(len(axes)) / figure.get_figwidth())
    next(iter(axes.values())).set_ylabel("test accuracy")
    frame.legend(figure, axes, order=[frame.norm_text(norm) for norm in styles])
    return figure
