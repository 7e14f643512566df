"""The privacy curve of one ledger as a picture: both bounds, the RDP curve and the point asked about.

The point is the answer itself. The curves of a schedule are bounds too, computed on few multipliers, grouped
outwards; the title says so.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from refdp.accounting import Bounds, PrivacyCurve, privacy_curve
from refdp.accounting.grouping import distinct
from refdp.cli.query import Question
from refdp.errors import RefDPError
from refdp.files import write_atomically

_POINTS, _DRAWN = 13, 16
_KINDS = (".png", ".pdf", ".svg")


def draw_curve(path: str, asked: Question, bounds: Bounds) -> None:
    """Write the picture to ``path``.

    Raises:
        RefDPError: a file name that is no picture's, a missing folder or matplotlib, or an infinite epsilon.
    """
    if Path(path).suffix.lower() not in _KINDS:
        raise RefDPError(f"--plot {path!r}: must end in {', '.join(_KINDS)}")
    if not Path(path).parent.is_dir():
        raise RefDPError(f"--plot {path!r}: its folder does not exist; make it first")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise RefDPError(
            "--plot: needs matplotlib, which refdp's installation brings; pip install refdp"
        ) from None
    epsilon = bounds.upper if bounds.quantity == "epsilon" else bounds.at
    if epsilon is None or not math.isfinite(epsilon):
        raise RefDPError(f"--plot: there is no curve to draw where epsilon is {epsilon!r}")
    coarse = distinct(asked.ledger) > _DRAWN
    curve = privacy_curve(
        asked.ledger,
        epsilons=np.linspace(0.0, 2.0 * epsilon or 1.0, _POINTS),
        accountant=asked.accountant,
        conversion=asked.options["conversion"],
        bins=_DRAWN,
    )
    figure = Figure(figsize=(7.0, 4.4), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    _draw(figure.subplots(), curve, bounds, f"; schedule grouped into {_DRAWN} multipliers" if coarse else "")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix[1:].lower())
    write_atomically(Path(path), buffer.getvalue())


def _draw(axes: Any, curve: PrivacyCurve, bounds: Bounds, remark: str) -> None:
    upper, lower, rdp = (_log10(values) for values in (curve.upper, curve.lower, curve.rdp))
    if np.isfinite(rdp).any():
        axes.plot(curve.asked, rdp, color="#e69f00", linestyle="--", label="upper bound by RDP")
    axes.plot(curve.asked, upper, color="#0072b2", label="upper bound")
    axes.plot(curve.asked, lower, color="#222222", linewidth=1, linestyle=":", label="lower bound")
    if np.isfinite(lower).any():
        axes.fill_between(curve.asked, lower, upper, color="#0072b2", alpha=0.15, linewidth=0)
    x, y = (bounds.upper, bounds.at) if bounds.quantity == "epsilon" else (bounds.at, bounds.upper)
    if x is not None and y:
        text = f"({x:.4g}, {y:.3g})"
        axes.plot([x], [math.log10(y)], "o", color="#b2182b", label=f"asked: {text}")
    axes.set_xlabel("epsilon")
    axes.set_ylabel("log10 delta")
    axes.set_title(f"privacy curve, {bounds.neighboring}{remark}")
    axes.grid(color="#e3e3e3")
    axes.set_axisbelow(True)
    axes.legend(frameon=False)


def _log10(values: np.ndarray) -> np.ndarray:
    """log10, NaN where there is nothing to draw."""
    return np.log10(np.where(values > 0, values, np.nan))
