"""A report as text for a terminal: theory, the table, the verdict, what it rests on."""

from __future__ import annotations

import textwrap

from refdp.audit.power import Power
from refdp.audit.report.row import FACTORS, Row
from refdp.audit.report.table import Report
from refdp.audit.report.theory import Theory
from refdp.audit.report.words import chance, claim_figure, number, percent, rough, summary
from refdp.figures import lower_figure, upper_figure

_WIDTH = 110


def as_text(found: Report) -> str:
    """The whole answer."""
    lines = [_experiment(found), *_theory(found.theory)]
    if found.claimed is not None:
        lines.append(f"claimed: epsilon {claim_figure(found.claimed)} at delta {number(found.design.delta)}")
    rows = table(found)
    widths = [max(len(each[column]) for each in rows if len(each) > 2) for column in range(len(rows[0]))]
    for each in rows:
        cells = [cell.ljust(width) for cell, width in zip(each, widths, strict=False)]
        first, *rest = (
            _wrapped("  ".join(cells).rstrip(), "  ") if len(each) == 2 else ["  " + "  ".join(cells)]
        )
        lines += [first.rstrip(), *(" " * (widths[0] + 4) + line.strip() for line in rest)]
    lines += _legend(found)
    assumed: dict[str, list[str]] = {}
    for row in found.rows:
        for assumption in row.estimate.assumes:
            assumed.setdefault(assumption, []).append(row.name)
    for assumption, names in assumed.items():
        lines += _wrapped(f"{assumption} ({', '.join(names)})", "  assumes: ")
    for note in found.notes:
        lines += _wrapped(note, "  note: ")
    return "\n".join([*lines, summary(found)])


def table(found: Report) -> list[list[str]]:
    """Head and rows; a row of two cells is an estimator that refused, and its reason."""
    rows = [["estimator", "epsilon >=", "ceiling"]]
    with_power = any(row.power is not None for row in found.rows)
    if with_power:
        what = "shows a leak" if found.claimed is None else f"refutes {claim_figure(found.claimed)}"
        rows[0] += [f"{what} from", *(f"{factor} x canaries" for factor in FACTORS)]
        if _leak(found) is not None:
            rows[0].insert(3, f"expected at {lower_figure(_leak(found))}")
    for row in found.rows:
        name = f"{row.name} *" if row.name == found.verdict_by else row.name
        if row.estimate.epsilon is None:
            rows.append([name, f"refused: {row.estimate.refused}"])
            continue
        cells = [name, lower_figure(row.estimate.epsilon), upper_figure(row.estimate.ceiling)]
        if with_power:
            powers = [row.power, *row.larger]
            cells += [_reach(each) for each in powers] + [""] * (1 + len(FACTORS) - len(powers))
            if _leak(found) is not None:
                cells.insert(3, _expected(row))
        rows.append(cells)
    return rows


def _leak(found: Report) -> float | None:
    return next((row.power.leak for row in found.rows if row.power and row.power.leak is not None), None)


def _expected(row: Row) -> str:
    return "" if row.power is None or row.power.expected is None else lower_figure(row.power.expected)


def _reach(found: Power | None) -> str:
    """From which leak on, or why never."""
    if found is None:
        return ""
    if found.smallest_refutable is not None:
        return rough(found.smallest_refutable)
    if found.ceiling is None:
        return "no bound"
    return "never: ceiling" if found.ceiling <= found.claim else "no Gaussian leak"


def _experiment(found: Report) -> str:
    sizes = found.sizes
    references = f", {sizes.references:,} references" if sizes.references else ""
    coins = "planted by fair coins" if sizes.fair_coins else "not known to be planted by fair coins"
    return (
        f"canaries: {sizes.planted:,} planted, {sizes.left_out:,} left out{references}, "
        f"{sizes.runs:,} run{'s' if sizes.runs > 1 else ''}, {coins}"
    )


def _theory(theory: Theory) -> list[str]:
    if not theory.is_known():
        return []
    facts = [theory.sampling] if theory.sampling else []
    facts += [f"{theory.steps:,} steps"] if theory.steps is not None else []
    facts += (
        [f"noise multiplier {theory.noise_multiplier:.6g}"] if theory.noise_multiplier is not None else []
    )
    about = f" ({', '.join(facts)})" if facts else ""
    return [f"theory: {lower_figure(theory.lower)} <= epsilon <= {upper_figure(theory.upper)}{about}"]


def _legend(found: Report) -> list[str]:
    lines = _wrapped(
        f"*: the verdict goes by it alone, named beforehand. At {percent(found.design.confidence)} confidence each "
        f"bound holds by itself (delta {number(found.design.delta)}); the largest of {len(found.rows)} does not, so "
        "the others are for comparison.",
        "  ",
    )
    laid = "" if found.claimed is None else ", laid out for this claim"
    lines += _wrapped(
        f"ceiling: no leak, however large, can be shown to be more with so many canaries{laid}.", "  "
    )
    power = next((row.power for row in found.rows if row.power is not None), None)
    if power is not None:
        what = "its bound exceeds 0" if found.claimed is None else "the claim is refuted"
        lines += _wrapped(
            f"from: the smallest true epsilon at which {what} in {chance(power)} such experiments (a Gaussian leak, "
            "scored as well as can be); never: the ceiling does not exceed the claim; expected: the median bound at "
            "that true epsilon.",
            "  ",
        )
    return lines


def _wrapped(text: str, first: str) -> list[str]:
    indent = " " * min(len(first), 8)
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)
