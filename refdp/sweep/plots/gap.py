"""gap_to_baseline.png: how much accuracy each configuration loses, infinite epsilons among them."""

from __future__ import annotations

from matplotlib.figure import Figure

from refdp.sweep.plots import frame
from refdp.sweep.rows import columns, row_of, rows
from refdp.sweep.words import setting_text

_LABELLED = 24  # bars; with more of them their numbers would touch


def draw(summary: frame.Summary) -> Figure:
    """Baseline mean minus mean, in percentage points: a group a noise level, a bar a clip norm."""
    setting, baseline = summary["setting"], summary["baseline"]
    spread = "" if baseline["std"] is None else "; grey band: the baseline's own spread over seeds"
    subtitle = f"{setting['model']} on {setting['dataset']}; epsilon at {setting_text(setting)}{spread}"
    levels, styles = rows(summary), frame.norm_styles(summary)
    bars = len(levels) * len(styles)
    size = (min(24.0, max(9.0, 2.0 + 0.36 * bars, 2.0 + 0.95 * len(levels))), 5.2)
    if len(frame.clippings(summary)) > 2:  # narrow panels, whose labels stand upright
        size = size[0], 5.2 + 0.35 * len(levels)
    figure, axes = frame.panels(summary, "Accuracy lost to privacy", subtitle, size)
    for clipping, axis in axes.items():
        if baseline["mean"] is None or not levels:
            frame.say(axis, baseline["reason"] or "no private configuration was run")
            continue
        cells = frame.cells_of(summary, clipping)
        here = [level for level in levels if any(row_of(cell) == level for cell in cells)]
        width = 0.8 / len(styles)
        roomy = figure.get_figwidth() / frame.across(len(axes)) / len(here) > 0.8
        std = 100 * (baseline["std"] or 0)
        axis.axhspan(-std, std, color=frame.BASELINE, alpha=0.13, linewidth=0)
        axis.axhline(0, color=frame.BASELINE, linewidth=1.2)
        for i, (norm, style) in enumerate(styles.items()):
            mine = [cell for cell in cells if cell["clip_norm"] == norm]
            x = [here.index(row_of(cell)) + (i - (len(styles) - 1) / 2) * width for cell in mine]
            gaps = [100 * cell["gap"] for cell in mine]
            drawn = axis.bar(x, gaps, 0.92 * width, yerr=frame.spreads(mine, 100),
                             color=style["color"], label=frame.norm_text(norm), zorder=2,
                             error_kw={"ecolor": frame.INK, "elinewidth": 1, "capsize": 2 * roomy})  # fmt: skip
            if bars * len(axes) <= _LABELLED:
                axis.bar_label(
                    drawn, [f"{gap:.1f}" for gap in gaps], padding=2, fontsize=8.5, color=frame.INK
                )
        names = {row: frame.level_text([cell for cell in cells if row_of(cell) == row]) for row in here}
        if roomy:
            names = {level: name.replace(" (", "\n").rstrip(")") for level, name in names.items()}
        axis.set_xticks(range(len(here)), [names[level] for level in here], rotation=0 if roomy else 90)
        spare = max(0.6, 1.6 - 0.5 * len(here))
        axis.set_xlim(-spare, len(here) - 1 + spare)
        axis.grid(False, axis="x")
        axis.margins(y=0.12)
        axis.set_xlabel("noise multiplier, with the upper bound on epsilon (ε)")
    next(iter(axes.values())).set_ylabel(
        "points below the baseline" if len(axes) > 6 else "percentage points below the baseline"
    )
    if len(columns(summary)) > 0 and baseline["mean"] is not None:
        frame.legend(figure, axes, columns=6, order=[frame.norm_text(norm) for norm in styles])
    return figure
