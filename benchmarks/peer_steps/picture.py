"""The picture: samples per second and peak memory of every contender, a column a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_OURS, _PEER, _PLAIN, _INK = "#1b6ca8", "#b9c0c8", "#e0c38c", "#333333"


def draw(cells: list[dict[str, Any]], title: str, path: Path) -> None:
    """Write a PNG. cells: {"model", "batch", "contenders"} as in the JSON."""
    figure = Figure(figsize=(1.6 + 3.1 * len(cells), 6.4), layout="constrained", dpi=130)
    axes = figure.subplots(2, len(cells), squeeze=False)
    for column, cell in enumerate(cells):
        names = list(cell["contenders"])
        for row, (key, unit) in enumerate((("samples_per_second", 1), ("peak_memory_bytes", 1e6))):
            values = [cell["contenders"][name].get(key, 0) / unit for name in names]
            _bars(axes[row, column], names, values, column == 0)
        axes[0, column].set_title(f"{cell['model']}, batch {cell['batch']}", fontsize=10)
        axes[0, column].set_xlabel("samples / s (more is better)", fontsize=8)
        axes[1, column].set_xlabel("peak memory, MB (less is better)", fontsize=8)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path)


def _bars(axis: Axes, names: list[str], values: list[float], labels: bool) -> None:
    colours = [
        _OURS if name.startswith("refdp") else _PLAIN if "not private" in name else _PEER for name in names
    ]
    axis.barh(range(len(names)), values, color=colours)
    axis.set_yticks(range(len(names)), names if labels else [""] * len(names), fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, 1.28 * max([*values, 1]))
    axis.set_xticks([])
    for place, value in enumerate(values):
        text = f"{float(f'{value:.3g}'):,.{0 if value >= 100 else 1}f}" if value else "absent"
        axis.text(value, place, f" {text}", va="center", fontsize=8, color=_INK)
    for side in ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)
