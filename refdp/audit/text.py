"""An audit as text: one table, the verdict, the causes, and one line that fits a badge."""

from __future__ import annotations

import textwrap

from refdp.audit.causes.base import figure, interval
from refdp.audit.reading import Reading
from refdp.audit.verdict import Audit
from refdp.figures import upper_figure

_WIDTH = 110


def table(found: Audit) -> list[list[str]]:
    """Head and rows: reading, what it stands for, true epsilon, by RDP, multiplier, needed."""
    claimed = figure(found.claim.epsilon)
    rows = [["reading", "what", "true epsilon", "by RDP", "multiplier", f"needed for {claimed}"]]
    for reading in found.readings:
        rdp = reading.routes.get("rdp", {}).get("upper")
        rows.append(
            [
                reading.name,
                reading.how,
                interval(reading),
                upper_figure(rdp) if rdp is not None else "",
                "" if reading.noise_multiplier is None else f"{reading.noise_multiplier:.6g}",
                needed(reading),
            ]
        )
    return rows


def needed(reading: Reading) -> str:
    """The multiplier a reading would need, rounded up."""
    if reading.needed is not None:
        return upper_figure(reading.needed)
    return "not solved in time" if any("time allowed" in note for note in reading.notes) else "out of reach"


def as_text(found: Audit) -> str:
    """The whole answer for a terminal."""
    claim = found.claim
    lines = [claim.title] if claim.title else []
    lines.append(f"claimed: epsilon {figure(claim.epsilon)} at delta {figure(claim.delta)}")
    rows = table(found)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  " + "  ".join(cells).rstrip())
    lines.append(f"verdict: {found.verdict.upper()}")
    for cause in found.causes:
        lines += _wrapped(f"{cause.id}: {cause.text}", "  why ")
    if found.steps:
        lines.append("  steps, as tools count them (the verdict does not rest on this):")
        for reading in found.steps:
            lines += _wrapped(f"epsilon {interval(reading)}: {reading.name}", "    ")
    for reading in found.readings:
        for note in reading.notes:
            lines += _wrapped(f"{reading.name}: {note}", "  note ")
    for note in claim.notes:
        lines += _wrapped(note, "  note ")
    return "\n".join([*lines, found.summary])


def _wrapped(text: str, first: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first))
