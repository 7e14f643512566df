"""A report as a picture: one axis of epsilon, an estimator a line, the claim and the theoretical interval across.

Filled disc: the bound. Bar end: the ceiling. Hollow diamond: the smallest leak that could have refuted the claim.
Told apart by shape alone, so that it survives a grayscale printer.
"""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from refdp.audit.report.row import Row
from refdp.audit.report.table import Report
from refdp.audit.report.words import claim_figure, number, percent, rough
from refdp.errors import MissingExtraError, RefDPError
from refdp.figures import lower_figure
from refdp.files import write_atomically

KINDS = (".svg", ".png", ".pdf")
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
_WIDE = 40.0  # largest over smallest figure from which the axis is logarithmic


def check_target(path: Path, what: str = "--plot") -> None:
    """Refuse a file that no picture can be written to, before anything is computed."""
    if path.suffix.lower() not in KINDS:
        raise RefDPError(f"{what} {str(path)!r}: must end in {', '.join(KINDS)}")
    if path.is_dir():
        raise RefDPError(f"{what} {str(path)!r}: is a folder; give a file's name")
    if not path.parent.is_dir():
        raise RefDPError(f"{what} {str(path)!r}: its folder does not exist; make it first")


def draw(found: Report, path: Path) -> None:
    """Write the picture, its kind by the suffix.

    Raises:
        RefDPError: see ``check_target``.
        MissingExtraError: matplotlib is not installed.
    """
    check_target(path, "the picture")
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "the picture needs matplotlib, which refdp's installation brings; pip install refdp"
        ) from None
    kind = path.suffix[1:].lower()
    with rc_context({"svg.hashsalt": "refdp", "svg.fonttype": "none", "text.parse_math": False}):
        picture = Figure(figsize=(8.0, 2.2 + 0.42 * len(found.rows)), dpi=130, layout="constrained")
        FigureCanvasAgg(picture)
        _draw(picture, found)
        buffer = io.BytesIO()
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        picture.savefig(buffer, format=kind, metadata=metadata)
    write_atomically(path, buffer.getvalue())


def _draw(picture: Any, found: Report) -> None:
    axes = picture.subplots()
    low, high, log = _span(found)
    if log:
        axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(len(found.rows) - 0.4, -0.6)
    if log or high > 12:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    _across(axes, found, high)
    for y, row in enumerate(found.rows):
        _line(axes, row, y, low, high)
    names = [f"{row.name} *" if row.name == found.verdict_by else row.name for row in found.rows]
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_xlabel(
        f"epsilon at delta {number(found.design.delta)} (bounds at {percent(found.design.confidence)} confidence each)"
    )
    axes.grid(axis="x", color="#e3e3e3")
    axes.set_axisbelow(True)
    sizes = found.sizes
    runs = "1 run" if sizes.runs == 1 else f"{sizes.runs:,} runs"
    verdict = "" if found.verdict is None else f": {found.verdict}"
    axes.set_title(f"{sizes.canaries:,} canaries, {runs}{verdict} (by {found.verdict_by} *)", fontsize=10)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    picture.legend(
        unique.values(), unique.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=8
    )


def _figures(found: Report) -> list[float]:
    """All that is drawn, finite and > 0."""
    values = [found.claimed, found.theory.lower, found.theory.upper]
    for row in found.rows:
        values += [row.estimate.epsilon, row.estimate.ceiling, _smallest(row)]
    return [value for value in values if value is not None and math.isfinite(value) and value > 0]


def _span(found: Report) -> tuple[float, float, bool]:
    """Ends of the axis, and whether it is logarithmic."""
    drawn = _figures(found) or [1.0]
    log = max(drawn) > _WIDE * min(drawn)
    return (min(drawn) / 2, max(drawn) * 2, True) if log else (0.0, max(drawn) * 1.12, False)


def _across(axes: Any, found: Report, end: float) -> None:
    theory = found.theory
    lower, upper = theory.lower, theory.upper
    if upper is not None or lower is not None:
        left, right = lower or 0.0, end if upper is None else min(upper, end)
        style = {"facecolor": "#d9d9d9", "edgecolor": "#9a9a9a", "linewidth": 0.8, "zorder": 0}
        if left < end:
            axes.axvspan(
                max(left, axes.get_xlim()[0]), right, hatch="////", label="theoretical interval", **style
            )
    if found.claimed is not None and found.claimed >= axes.get_xlim()[0]:
        axes.axvline(
            found.claimed,
            color="black",
            linewidth=1.6,
            label=f"claimed: {claim_figure(found.claimed)}",
            zorder=3,
        )


def _line(axes: Any, row: Row, y: int, low: float, high: float) -> None:
    bound, ceiling, smallest = row.estimate.epsilon, row.estimate.ceiling, _smallest(row)
    if bound is None:
        reason = row.estimate.refused or ""
        text = f"refused: {reason if len(reason) < 90 else reason[:87] + '...'}"
        axes.annotate(
            text, (low, y), (6, 0), textcoords="offset points", va="center", fontsize=7, style="italic"
        )
        return
    if math.isinf(bound):
        axes.plot([high], [y], ">", color="black", markersize=9, clip_on=False, label="lower bound")
        return
    right = high if ceiling is None or math.isinf(ceiling) else ceiling
    axes.plot([low, right], [y, y], color="#b0b0b0", linewidth=1, zorder=1)
    axes.plot([low, max(bound, low)], [y, y], color="#2b6ca3", linewidth=6, solid_capstyle="butt", zorder=2)
    if right < high:
        axes.plot(
            [right], [y], "|", color="black", markersize=15, markeredgewidth=2, zorder=4, linestyle="none",
            label="ceiling: no scores can show more",
        )  # fmt: skip
    if smallest is not None and math.isfinite(smallest):
        axes.plot(
            [smallest], [y], "D", markerfacecolor="white", markeredgecolor="black", markersize=7, zorder=5,
            linestyle="none", label="smallest leak it could refute the claim with",
        )  # fmt: skip
    axes.plot(
        [max(bound, low)], [y], "o", color="#12395c", markersize=8, zorder=6, clip_on=False, linestyle="none",
        label="lower bound",
    )  # fmt: skip
    text = (
        f"{lower_figure(bound)}" if smallest is None else f"{lower_figure(bound)}  (from {rough(smallest)})"
    )
    axes.annotate(
        text,
        (max(bound, low), y),
        (0, 8),
        textcoords="offset points",
        fontsize=7,
        ha="left",
        zorder=7,
        bbox=_WHITE,
    )


def _smallest(row: Row) -> float | None:
    return None if row.power is None else row.power.smallest_refutable
