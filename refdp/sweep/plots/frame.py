"""What the pictures share: canvas, titles, colours, panels. No pyplot, no global state, no display."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from refdp.sweep.records import number
from refdp.sweep.rows import columns, epsilon_of
from refdp.sweep.words import noise_text, upper_text

DPI = 130
_WIDEST = 26.0  # inches
_LARGE = 6  # panels; more of them are drawn smaller
INK, QUIET, GRID = "#222222", "#666666", "#e3e3e3"
BASELINE, CLIFF, SAFE = "#222222", "#b2182b", "#1b7837"
# From Okabe and Ito's palette for every common colour blindness, less the green and red of the thresholds.
PALETTE = ("#0072b2", "#e69f00", "#cc79a7", "#56b4e9", "#d55e00", "#7a6a58")
MARKERS = "osD^vPX"

Summary = dict[str, Any]
Cell = dict[str, Any]


def ramp(count: int) -> list[str]:
    """So many ordered colours, dark to light, all readable on white."""
    return [to_hex(colormaps["viridis"](0.05 + 0.75 * i / max(1, count - 1))) for i in range(count)]


def norm_styles(summary: Summary) -> dict[float, dict[str, Any]]:
    """Colour and marker of each clip norm, the same in every picture."""
    norms = sorted({norm for _, norm in columns(summary)})
    colours = list(PALETTE) if len(norms) <= len(PALETTE) else ramp(len(norms))
    return {norm: {"color": colours[i], "marker": MARKERS[i % len(MARKERS)]} for i, norm in enumerate(norms)}


def clippings(summary: Summary) -> list[str]:
    """The clippings of the sweep, one panel each; a nameless one where there are no cells."""
    return sorted({clipping for clipping, _ in columns(summary)}) or [""]


def cells_of(summary: Summary, clipping: str, **wanted: Any) -> list[Cell]:
    """The cells of one clipping with these values."""
    return [
        cell
        for cell in summary["cells"]
        if cell["clipping"] == clipping and all(cell[key] == value for key, value in wanted.items())
    ]


def norm_text(norm: float) -> str:
    """A clip norm in a legend."""
    return f"clip norm {norm:g}"


def level_text(cells: list[Cell]) -> str:
    """The noise multiplier of the cells of one noise level, with their epsilon: "0.5 (ε ≤ 77.3)"."""
    noise = noise_text([cell["noise_multiplier"] for cell in cells], 4)
    return f"{noise} ({bound_text(epsilon_of(cells))})"


def bound_text(epsilon: dict[str, Any]) -> str:
    """The upper bound in short: "ε ≤ 77.3", "ε = ∞", "ε unknown"."""
    upper = upper_text(epsilon)
    return {"inf": "ε = ∞", "unknown": "ε unknown"}.get(upper, f"ε ≤ {upper}")


def upper(cell: Cell) -> float:
    """The upper bound on epsilon; NaN where unknown."""
    bound = cell["epsilon"]["upper"]
    return math.nan if bound is None else number(bound)


def spreads(cells: list[Cell], scale: float = 1.0) -> list[float]:
    """Lengths of error bars; NaN, which draws none, where one seed shows no spread."""
    return [math.nan if cell["std"] is None else scale * cell["std"] for cell in cells]


def canvas(width: float, height: float, title: str, subtitle: str) -> Figure:
    """An empty figure, width x height inches, with its title and subtitle (of one or more lines each)."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.set_facecolor("white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    room = "\n" * (subtitle.count("\n") + 1)
    figure.suptitle(title + room, x=0.012, ha="left", fontsize=14, fontweight="bold", color=INK)
    below = 30 + 20 * title.count("\n")
    figure.text(0.012, 1 - below / (72 * height), subtitle, ha="left", va="top", fontsize=9.5, color=QUIET,
                linespacing=1.35, in_layout=False)  # fmt: skip
    return figure


def wrap_lines(subtitle: str, width: float) -> str:
    """A subtitle of one or more lines, each broken where it would leave a figure so many inches wide."""
    return "\n".join(wrap(line, width, 9.5) for line in subtitle.split("\n"))


def across(panels: int) -> int:
    """How many panels stand side by side."""
    return min(4 if panels > _LARGE else 3, panels)


def wrap(text: str, width: float, points: float) -> str:
    """The text with line breaks, for so many inches at a font size in points."""
    return "\n".join(textwrap.wrap(text, max(20, int(width * 72 / (0.53 * points)))))


def panels(
    summary: Summary, title: str, subtitle: str, size: tuple[float, float], *, sharey: bool = True
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a title, a subtitle and one panel a clipping; of more than six, each panel is smaller."""
    names = clippings(summary)
    beside = across(len(names))
    down = math.ceil(len(names) / beside)
    share, tall = (0.5, 0.62) if len(names) > _LARGE else (0.7, 0.85)
    width = min(_WIDEST, max(size[0], share * size[0] * beside))
    figure = canvas(width, size[1] * (tall * down + 0.15), title, wrap_lines(subtitle, width))
    axes = list(figure.subplots(down, beside, squeeze=False, sharey=sharey).flat)
    chosen = {}
    for axis, name in zip(axes, names, strict=False):
        dress(axis)
        if len(names) > 1:
            axis.set_title(name, fontsize=11, color=INK)
        chosen[name] = axis
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    return figure, chosen


def dress(axis: Axes) -> None:
    """Quiet grid and frame: the data is what stands out."""
    axis.set_axisbelow(True)
    axis.grid(True, color=GRID, linewidth=0.8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(QUIET)
    axis.tick_params(colors=INK, labelsize=9.5)
    axis.tick_params(which="minor", length=2, colors=QUIET)
    for label in (axis.xaxis.label, axis.yaxis.label):
        label.set(color=INK, fontsize=10.5)


def baseline_lines(axis: Axes, summary: Summary, thresholds: bool = True, upright: bool = False) -> None:
    """The baseline with its spread over seeds, 90 % of it, and half of it; ``upright`` where accuracy is the x axis."""
    baseline = summary["baseline"]
    mean, std = baseline["mean"], baseline["std"] or 0
    if mean is None:
        return
    span, line = (axis.axvspan, axis.axvline) if upright else (axis.axhspan, axis.axhline)
    span(mean - std, mean + std, color=BASELINE, alpha=0.13, linewidth=0)
    line(mean, color=BASELINE, linewidth=1.4, label=f"without privacy ({mean:.3f})")
    if thresholds:
        safe, cliff = summary["safe_region"]["threshold"], summary["privacy_cliff"]["threshold"]
        axis.axhline(
            safe, color=SAFE, linewidth=1.2, linestyle=(0, (1, 1.5)), label=f"90 % of it ({safe:.3f})"
        )
        axis.axhline(
            cliff, color=CLIFF, linewidth=1.2, linestyle=(0, (5, 3)), label=f"half of it: cliff ({cliff:.3f})"
        )


def accuracy_limits(axis: Axes, summary: Summary, thresholds: bool = True) -> None:
    """A y axis for accuracies that has all means and spreads in view, and the cliff where it is drawn."""
    values = [cell["mean"] - (cell["std"] or 0) for cell in summary["cells"]]
    threshold = summary["privacy_cliff"]["threshold"] if thresholds else None
    low = min([0.8, *values, *([] if threshold is None else [threshold])]) if values else 0.0
    axis.set_ylim(max(0.0, low - 0.06), 1.03)


def log_axis(axis: Axes, low: float, high: float) -> None:
    """A logarithmic x axis around [low, high], at least a factor of ten wide, labelled 1, 10, 100."""
    middle = 0.5 * (math.log10(low) + math.log10(high))
    half = max(0.5, 0.54 * math.log10(high / low))
    axis.set_xscale("log")
    axis.set_xlim(10 ** max(-300, middle - half), 10 ** min(300, middle + half))
    steps = (1, 2, 3, 4, 6, 8) if half < 0.6 else (1, 2, 5) if half < 1.25 else (1,)
    axis.xaxis.set_major_locator(LogLocator(subs=steps))
    plain = FuncFormatter(lambda x, _: f"{x:,.10g}" if 1e-4 < x < 1e6 else f"{x:.3g}")
    axis.xaxis.set_major_formatter(plain)
    axis.xaxis.set_minor_formatter(NullFormatter())


def say(axis: Axes, text: str) -> None:
    """Words in the middle of a panel that has nothing to show."""
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", fontsize=11, color=QUIET)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def legend(figure: Figure, axes: dict[str, Axes], columns: int = 3, order: Sequence[str] = ()) -> None:
    """One legend for all panels, below them: each label once, in the order given, then the rest."""
    found: dict[str, Any] = {}
    for axis in axes.values():
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle.lines[0] if isinstance(handle, ErrorbarContainer) else handle)
    labels = [label for label in order if label in found]
    labels += [label for label in found if label not in labels]
    if labels:
        figure.legend([found[label] for label in labels], labels, loc="outside lower center", frameon=False,
                      ncols=min(columns, len(labels)), fontsize=9.5, labelcolor=INK)  # fmt: skip


def png(figure: Figure) -> bytes:
    """The figure as PNG, the same bytes each time."""
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()
