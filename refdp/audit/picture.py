"""Claimed against true epsilon, as a picture: a bar from lower to upper bound for each reading, on a log axis."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

from refdp.audit.causes.base import figure, interval
from refdp.audit.verdict import Audit
from refdp.errors import MissingExtraError

_COLOURS = {"refuted": "#b2182b", "holds": "#1b7837", "undecided": "#e08214"}


def draw(audits: list[Audit], kind: str) -> bytes:
    """The picture of one audit or several, as ``kind`` ("png", "pdf" or "svg").

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "the picture needs matplotlib, which refdp's installation brings; pip install refdp"
        ) from None
    lines = sum(len(audit.readings) for audit in audits)
    style = rc_context({"svg.hashsalt": "refdp", "svg.fonttype": "none", "text.parse_math": False})
    with style, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a title in a script that the font lacks
        picture = Figure(figsize=(8.0, 1.3 + 0.42 * lines), dpi=130, layout="constrained")
        FigureCanvasAgg(picture)
        _rows(picture.subplots(), audits)
        buffer = io.BytesIO()
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        picture.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def _rows(axes: Any, audits: list[Audit]) -> None:
    labels, y = [], 0
    seen: list[float] = []
    for audit in audits:
        claimed = float(audit.claim.epsilon)
        for reading in audit.readings:
            low = reading.lower if reading.lower else None
            high = reading.upper if reading.upper is not None and math.isfinite(reading.upper) else None
            colour = _COLOURS[audit.verdict]
            if low is not None and math.isfinite(low):
                axes.plot([low, high or low], [y, y], color=colour, linewidth=5, solid_capstyle="butt")
                axes.plot(
                    [low], [y], marker="|" if high else ">", color=colour, markersize=13, linestyle="none"
                )
            elif high is not None:
                axes.plot([high], [y], marker="<", color=colour, markersize=8, linestyle="none")
            ends = [v for v in (low, high) if v and math.isfinite(v)]
            if claimed > 0 and ends:
                axes.plot([claimed, min(ends)], [y, y], color="#bbbbbb", linewidth=1, zorder=1)
            if claimed > 0:
                axes.plot([claimed], [y], marker="D", color="#222222", markersize=6, linestyle="none")
            seen += [v for v in (low, high, claimed) if v and math.isfinite(v)]
            at = max([v for v in (high, low, claimed) if v and math.isfinite(v)], default=1.0)
            axes.annotate(
                interval(reading), (at, y), (9, 0), textcoords="offset points", va="center", fontsize=8
            )
            title = f"{audit.claim.title}, " if len(audits) > 1 and audit.claim.title else ""
            labels.append(f"{title}{reading.name}")
            y += 1
    axes.set_yticks(range(y), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    if seen:
        axes.set_xlim(min(seen) / 2, max(seen) * max(3.0, (max(seen) / min(seen)) ** 0.35))
    axes.set_ylim(y - 0.4, -0.6)
    axes.set_xlabel("epsilon (diamond: claimed; bar: true interval)")
    axes.grid(axis="x", color="#e3e3e3")
    axes.set_axisbelow(True)
    if len(audits) == 1:
        claim = audits[0].claim
        axes.set_title(
            f"{claim.title + ': ' if claim.title else ''}claimed {figure(claim.epsilon)}, {audits[0].verdict}",
            fontsize=10,
        )
