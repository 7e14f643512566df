"""How a cross-check reads: a table a ledger, every disagreement with its reason beneath. From its JSON document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from refdp.crosscheck.verdict import WRONG
from refdp.report import lower_figure, upper_figure

_HEAD = ("accountant", "version", "epsilon", "claims", "verdict", "off by", "seconds", "MiB")


def number(value: Any) -> Any:
    """A figure as the document has it: infinities may be text."""
    return float(value) if isinstance(value, str) else value


def truth(epsilon: dict[str, Any]) -> str:
    """An enclosure, rounded outward."""
    return f"{lower_figure(number(epsilon['lower']))} to {upper_figure(number(epsilon['upper']))}"


def figure(row: dict[str, Any]) -> str:
    """The peer's figure, rounded to the nearest: both ends where it claims both."""
    found = {side: number(value) for side, value in row["epsilon"].items()}
    if row["side"] == "interval":
        return f"{found['lower']:.6g} to {found['upper']:.6g}"
    return f"{found[row['side']]:.6g}"


def share(row: dict[str, Any]) -> float | None:
    """How far outside the enclosure, relative to its nearest end; None where that is 0 or infinite."""
    distance, found = number(row["distance"]), row["epsilon"]
    name = "lower" if row["verdict"] == "overstated" or row["side"] == "lower" else "upper"
    value = number(found[name] if row["side"] != "estimate" else found["estimate"])
    end = value - distance
    return None if not math.isfinite(distance) or end == 0 else distance / end


def percent(value: float) -> str:
    """A share with its sign; a factor where it is large."""
    return f"{100 * value:+.2g} %" if abs(value) < 10 else f"x {1 + value:.3g}"


def text(found: dict[str, Any]) -> str:
    """The whole answer."""
    blocks = [_block(case, found["refdp"]) for case in found["cases"]]
    if "step_counts" in found:
        blocks.append(step_counts(found["step_counts"]))
    return "\n\n".join(blocks)


def _block(case: dict[str, Any], version: str) -> str:
    if "error" in case:
        return f"{case['id']}: refused: {case['error']}"
    lines = [
        f"{case['id']}: epsilon at delta = {case['delta']!r}, {case['neighboring']}: {truth(case['epsilon'])}"
        f"   (refdp {version}, {case['seconds']:.2f} s)"
    ]
    rows = [_HEAD, *(_cells(row) for row in case["peers"])]
    shown = aligned(rows)
    lines.append(shown[0])
    for row, line in zip(case["peers"], shown[1:], strict=True):
        lines.append(line)
        lines += [f"      {why}" for why in reasons(row)]
    return "\n".join([*lines, *(f"  note: {note}" for note in case["notes"])])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    head = (row["accountant"], row["version"] or "-")
    tail = (f"{row['seconds']:.2f}", f"{row['peak_memory_bytes'] / 2**20:.0f}")
    if row["verdict"] is None:
        return (*head, "-", row["side"], row["status"], "-", *tail)
    word = row["verdict"].upper() if row["verdict"] in WRONG else row["verdict"]
    off = share(row)
    away = percent(off) if off else (f"{number(row['distance']):+.2g}" if row["distance"] else "0")
    return (*head, figure(row), row["side"], word, away, *tail)


def reasons(row: dict[str, Any]) -> list[str]:
    """Why there is no figure, or why it is another one."""
    cause = [row["cause"]] if row["cause"] else []
    return [*cause, *(reason["text"] for reason in row["reasons"])]


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns, indented by two."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def step_counts(counts: list[dict[str, Any]]) -> str:
    """The block of step counts."""
    rows = [("steps", "epsilon", "counted as", "by")]
    rows += [(f"{c['steps']:,}", truth(c["epsilon"]), c["rule"], c["tools"]) for c in counts]
    return "\n".join(["steps, and epsilon at each count", *aligned(rows)])
