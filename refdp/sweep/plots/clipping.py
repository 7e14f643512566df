"""clipping_effect.png: how much the clip norm matters, at each amount of noise."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from refdp.sweep.plots import frame
from refdp.sweep.rows import cells_at, row_of, rows
from refdp.sweep.words import setting_text


def draw(summary: frame.Summary) -> Figure:
    """Accuracy against the clip norm, a line a noise level, a panel a clipping."""
    setting = summary["setting"]
    names: dict[float, list[str]] = {}
    for name, found in summary["best_clip_norm"].items():
        names.setdefault(found["clip_norm"], []).append(name)
    best = "; ".join(f"{norm:g} for {', '.join(rules)}" for norm, rules in sorted(names.items()))
    if len(names) == 1:
        best = f"{next(iter(names)):g}" + (" for every rule" if len(summary["best_clip_norm"]) > 1 else "")
    subtitle = f"{setting['model']} on {setting['dataset']}; epsilon at {setting_text(setting)}"
    subtitle += f"\nBest clip norm, averaged over the noise levels: {best}" if best else ""
    figure, axes = frame.panels(summary, "What the clip norm does", subtitle, (9.0, 5.9))
    levels = rows(summary)
    colours = dict(zip(levels, frame.ramp(len(levels)), strict=True))
    labels = {row: f"noise {frame.level_text(cells_at(summary, row))}" for row in levels}
    for clipping, axis in axes.items():
        cells = frame.cells_of(summary, clipping)
        frame.accuracy_limits(axis, summary, thresholds=False)
        if not cells:
            frame.say(axis, "no private configuration was run")
            continue
        norms = sorted({cell["clip_norm"] for cell in cells})
        frame.log_axis(axis, norms[0], norms[-1])
        frame.baseline_lines(axis, summary, thresholds=False)
        for level in levels:
            mine = sorted((c for c in cells if row_of(c) == level), key=lambda cell: cell["clip_norm"])
            if not mine:
                continue
            axis.errorbar(
                [cell["clip_norm"] for cell in mine], [cell["mean"] for cell in mine],
                yerr=frame.spreads(mine), label=labels[level],
                color=colours[level], marker="o", markersize=6.5,
                markeredgecolor="white", markeredgewidth=0.7, linewidth=1.8, elinewidth=1.2, capsize=3,
            )  # fmt: skip
        if len(norms) <= 8:
            axis.set_xticks(norms, [f"{norm:g}" for norm in norms])
            axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlabel("clip norm (L2, per sample)")
    next(iter(axes.values())).set_ylabel("test accuracy")
    frame.legend(figure, axes, order=[labels[level] for level in levels])
    return figure
