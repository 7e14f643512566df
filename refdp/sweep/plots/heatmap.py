"""heatmap.png: the whole grid at a glance, one number a configuration."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from refdp.sweep.plots import frame
from refdp.sweep.rows import Row, cells_at, row_of, rows
from refdp.sweep.table import below_half, cell_key
from refdp.sweep.words import setting_text

_MAP = "YlGnBu"


def _ink(background: tuple[float, ...]) -> str:
    """Black or white, whichever is easier to read on the background."""
    red, green, blue = (part**2.2 for part in background[:3])
    return "#111111" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.25 else "white"


def _panel(axis: Axes, summary: frame.Summary, cells: list[frame.Cell], levels: list[Row], scale: Normalize,
           size: float) -> None:  # fmt: skip
    """The grid of one clipping: rows are noise levels, columns clip norms; what was not run is grey."""
    norms = sorted({cell["clip_norm"] for cell in summary["cells"]})
    values = np.full((len(levels), len(norms)), np.nan)
    for cell in cells:
        values[levels.index(row_of(cell)), norms.index(cell["clip_norm"])] = cell["mean"]
    axis.set_facecolor("#f2f2f2")
    axis.grid(False)
    axis.pcolormesh(np.ma.masked_invalid(values), cmap=_MAP, norm=scale, edgecolors="white", linewidth=2)
    bad = below_half(summary)
    for cell in cells:
        row, column = levels.index(row_of(cell)), norms.index(cell["clip_norm"])
        ink = _ink(colormaps[_MAP](scale(cell["mean"])))
        spread = "" if cell["std"] is None else f"\n±{cell['std']:.3f}"
        axis.text(column + 0.5, row + 0.5, f"{cell['mean']:.3f}{spread}", ha="center", va="center", color=ink,
                  fontsize=size, linespacing=1.2)  # fmt: skip
        if cell_key(cell) in bad:
            axis.add_patch(Rectangle((column + 0.04, row + 0.05), 0.92, 0.9, fill=False, edgecolor="#ff5a5a",
                                     linewidth=2.5))  # fmt: skip
    for row, column in np.argwhere(np.isnan(values)):
        axis.text(
            column + 0.5, row + 0.5, "not run", ha="center", va="center", color=frame.QUIET, fontsize=size
        )
    own = {row: [cell for cell in cells if row_of(cell) == row] for row in levels}
    labels = {row: frame.level_text(own[row] or cells_at(summary, row)) for row in levels}
    axis.set_xticks(np.arange(len(norms)) + 0.5, [f"{norm:g}" for norm in norms])
    axis.set_yticks(np.arange(len(levels)) + 0.5, [labels[level] for level in levels])
    axis.invert_yaxis()
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_xlabel("clip norm")


def draw(summary: frame.Summary) -> Figure:
    """Mean accuracy (and its spread over seeds) of every configuration, a panel a clipping."""
    setting, baseline = summary["setting"], summary["baseline"]
    subtitle = f"{setting['model']} on {setting['dataset']}; epsilon at {setting_text(setting)}"
    if baseline["mean"] is not None:
        subtitle += f"\nwithout privacy: {baseline['mean']:.3f}"
        subtitle += "; red frames: below half of that" if summary["privacy_cliff"]["configurations"] else ""
    levels = rows(summary)
    norms = {cell["clip_norm"] for cell in summary["cells"]}
    size = (min(20.0, max(7.5, 4.2 + 1.1 * len(norms))), min(24.0, max(4.2, 2.4 + 0.55 * len(levels))))
    figure, axes = frame.panels(summary, "Test accuracy of every configuration", subtitle, size, sharey=False)
    means = [cell["mean"] for cell in summary["cells"]]
    means += [] if baseline["mean"] is None else [baseline["mean"]]
    low, high = min(means, default=0.0), max(means, default=1.0)
    scale = Normalize(low, high) if high - low > 0.05 else Normalize(max(0, low - 0.05), min(1, high + 0.05))
    column = (0.85 * figure.get_figwidth() / frame.across(len(axes)) - 1.4) / max(1, len(norms))
    font = min(9.5, max(3.0, 72 * column / 4.4))  # "±0.006" takes about four times its font size
    for i, (clipping, axis) in enumerate(axes.items()):
        cells = frame.cells_of(summary, clipping)
        if not cells:
            frame.say(axis, "no private configuration was run")
            continue
        _panel(axis, summary, cells, levels, scale, font)
        axis.set_ylabel("noise multiplier (upper bound on epsilon)" if i == 0 else "")
    if means and summary["cells"]:
        from matplotlib.cm import ScalarMappable

        bar = figure.colorbar(ScalarMappable(scale, _MAP), ax=list(axes.values()), shrink=0.85, pad=0.02)
        bar.set_label("mean test accuracy", fontsize=10.5, color=frame.INK)
        bar.ax.tick_params(labelsize=9.5, colors=frame.INK)
        bar.outline.set_visible(False)
    return figure
