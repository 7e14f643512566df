"""The pictures of a sweep directory. matplotlib is imported when they are drawn, not before."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from refdp.sweep.records import write_atomically

PICTURES = {
    "accuracy_vs_epsilon.png": "accuracy",
    "gap_to_baseline.png": "gap",
    "clipping_effect.png": "clipping",
    "heatmap.png": "heatmap",
    "clippings.png": "clippings",
}
"""File name -> module of refdp.sweep.plots whose ``draw(summary)`` makes its figure."""


def pictures_of(config: dict[str, Any]) -> dict[str, str]:
    """Those of ``PICTURES`` that a sweep has: clippings.png is drawn where there are rules to compare."""
    one = len(config["clippings"]) < 2
    return {name: module for name, module in PICTURES.items() if not (one and module == "clippings")}


def draw_all(
    directory: str | os.PathLike[str], config: dict[str, Any], summary: dict[str, Any]
) -> list[Path]:
    """Draw every picture of the sweep into the directory; returns their paths.

    Works for unfinished grids; what cannot be shown (an infinite epsilon on a logarithmic axis, a gap
    without a baseline) is left out and the picture says so.
    """
    from refdp.sweep.plots.frame import png

    paths = []
    for name, module in pictures_of(config).items():
        figure = importlib.import_module(f"refdp.sweep.plots.{module}").draw(summary)
        path = Path(directory) / name
        write_atomically(path, png(figure))
        paths.append(path)
    return paths
