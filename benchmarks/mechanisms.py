"""The table and the picture of docs/mechanisms.md, from the registered clipping rules.

python benchmarks/mechanisms.py
"""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from refdp.clippers import AdaptiveClipper, ClipContext, Clipper, clippers

DOCS = Path(__file__).resolve().parent.parent / "docs"
PROPERTIES = ("idempotent", "contribution_monotone", "weight_monotone", "homogeneous", "direction_kept")
_COLOURS = ("#222222", "#0072b2", "#e69f00", "#cc79a7", "#56b4e9", "#d55e00", "#1b7837", "#7a6a58")
_TENSORS = np.array([8.0, 4.0, 2.0, 1.0])


def parameters(rule: type[Clipper]) -> str:
    """Name, default and range of each parameter but the clip norm."""
    found = []
    for field in dataclasses.fields(rule):  # type: ignore[arg-type]
        if field.name == "clip_norm" or not field.init:
            continue
        value = str(field.default).lower() if isinstance(field.default, bool) else field.default
        known = field.default not in (None, dataclasses.MISSING)
        text = f"`{field.name}={value}`" if known else f"`{field.name}`"
        if field.name in rule.ranges:
            low, high = rule.ranges[field.name]
            text += f" in [{low:g}, {high:g}]"
        found.append(text)
    return ", ".join(found)


def table() -> str:
    """A row a rule."""
    lines = [
        "| `--clipping` | weight | K | parameters | P6 | P7 | P8 | P9 | P10 | source |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in clippers.names():
        rule = clippers.get(name)
        answers = ["yes" if getattr(rule, which) else "no" for which in PROPERTIES]
        cells = [f"`{name}`", rule.equation, rule.bound_equation, parameters(rule), *answers, rule.citation]
        lines.append(("| " + " | ".join(cells) + " |").replace("|  |", "| |"))
    return "\n".join(lines)


def guarantees() -> str:
    """Why K is a bound, a line a rule."""
    return "\n".join(f"- `{name}`: {clippers.get(name).guarantee}" for name in clippers.names())


def curves() -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Norm, weight and contribution of each rule at C = 1; rules with one and the same curve share an entry."""
    norms = np.geomspace(1e-3, 1e2, 301)
    found: list[tuple[list[str], np.ndarray]] = []
    for name in clippers.names():
        rule: Any = clippers.create(name, clip_norm=1.0)
        shape = _TENSORS / np.linalg.norm(_TENSORS) if rule.per_group else np.ones(1)
        sizes = (1,) * len(shape)
        released = rule.initial(sizes) if isinstance(rule, AdaptiveClipper) else {}
        at = ClipContext(0 if name == "dynamic" else 4, 9, 0.0, sizes, released)
        rows = norms[:, None] * shape
        contribution = np.sqrt(((rule.scales(np, rows, at) * rows) ** 2).sum(axis=1))
        for names, same in found:
            if np.allclose(same, contribution, rtol=1e-9):
                names.append(name)
                break
        else:
            found.append(([name], contribution))
    return {", ".join(names): (norms, line / norms, line) for names, line in found}


def picture() -> bytes:
    """Weight and contribution against the norm, as SVG."""
    style = rc_context({"svg.hashsalt": "refdp", "svg.fonttype": "none", "text.parse_math": False})
    with style:
        figure = Figure(figsize=(10.0, 4.4), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        for i, (label, (norms, weight, contribution)) in enumerate(curves().items()):
            look: dict[str, Any] = {
                "color": _COLOURS[i % len(_COLOURS)],
                "linestyle": ("-", "--", ":")[i % 3],
                "linewidth": 1.8,
                "zorder": 2.0 + i % 3 * 0.1,
                "label": label,
            }
            left.plot(norms, np.where(weight > 0, weight, np.nan), **look)
            right.plot(norms, contribution, **look)
        left.set_yscale("log")
        left.set_ylim(5e-3, 2e3)
        left.set_ylabel("weight (contribution / norm)")
        right.set_ylabel("contribution")
        for axes in (left, right):
            axes.set_xscale("log")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axis.set_minor_formatter(NullFormatter())
            axes.set_xlabel("norm n of the record's gradient (C = 1)")
            axes.grid(color="#e3e3e3")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def rewritten(text: str) -> str:
    """The page with its generated parts made anew."""
    for name, body in (("clippings", table()), ("guarantees", guarantees())):
        text, count = re.subn(
            rf"<!-- {name} -->.*?<!-- end -->",
            lambda _, name=name, body=body: f"<!-- {name} -->\n{body}\n<!-- end -->",
            text,
            flags=re.DOTALL,
        )
        assert count == 1, name
    return text


def main() -> None:
    """Rewrite the page and its picture."""
    page = DOCS / "mechanisms.md"
    page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")
    (DOCS / "pictures" / "clippings.svg").write_bytes(picture())


if __name__ == "__main__":
    main()
