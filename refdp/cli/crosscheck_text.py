"""How a cross-check reads: a table a ledger, and every disagreement with its reason beneath."""

from __future__ import annotations

import math
from collections.abc import Sequence

import refdp
from refdp.crosscheck.check import Refused, Report, Row
from refdp.crosscheck.report import document
from refdp.crosscheck.steps import Counted
from refdp.report import lower_figure, upper_figure

_HEAD = ("accountant", "version", "epsilon", "claims", "verdict", "off by", "seconds", "MiB")


def text(reports: Sequence[Report | Refused], counts: Sequence[Counted] | None) -> str:
    """The whole answer."""
    blocks = [_block(report) for report in reports]
    if counts is not None:
        blocks.append(_counts(counts))
    return "\n\n".join(blocks)


def _truth(report: Report) -> str:
    bounds = report.truth.bounds
    low, high = lower_figure(bounds.lower), upper_figure(bounds.upper)
    return f"{low} to {high}"


def _block(report: Report | Refused) -> str:
    if isinstance(report, Refused):
        return f"{report.name}: refused: {report.error}"
    of = report.truth
    lines = [
        f"{report.case.name}: epsilon at delta = {report.case.delta!r}, {of.bounds.neighboring}: {_truth(report)}"
        f"   (refdp {refdp.__version__}, {of.seconds:.2f} s)"
    ]
    cells = [_HEAD, *(_cells(row) for row in report.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines.append("  " + "  ".join(map(str.ljust, _HEAD, widths)).rstrip())
    for row, shown in zip(report.rows, cells[1:], strict=True):
        lines.append("  " + "  ".join(map(str.ljust, shown, widths)).rstrip())
        lines += [f"      {line}" for line in _why(row)]
    lines += [f"  note: {note}" for note in of.bounds.notes]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    outcome, verdict = row.outcome, row.verdict
    tail = (f"{outcome.seconds:.2f}", f"{outcome.peak_memory_bytes / 2**20:.0f}")
    head = (row.accountant.name, outcome.version or "-")
    if verdict is None:
        return (*head, "-", row.accountant.side, outcome.status, "-", *tail)
    word = verdict.word.upper() if verdict.wrong else verdict.word
    return (*head, _figure(row), row.accountant.side, word, _off(row), *tail)


def _figure(row: Row) -> str:
    if row.accountant.side == "interval":
        return f"{row.figures['lower']:.6g} to {row.figures['upper']:.6g}"
    assert row.verdict is not None
    return f"{row.verdict.value:.6g}"


def _off(row: Row) -> str:
    """How far outside the enclosure, relative to it."""
    assert row.verdict is not None
    distance = row.verdict.distance
    if distance == 0:
        return "0"
    end = row.verdict.value - distance
    if end == 0 or not math.isfinite(distance):
        return f"{distance:+.2g}"
    share = distance / end
    return f"{100 * share:+.2g} %" if abs(share) < 10 else f"x {1 + share:.3g}"


def _why(row: Row) -> list[str]:
    cause = [row.outcome.cause] if row.outcome.cause else []
    return [*cause, *(reason.text for reason in row.reasons)]


def _counts(counts: Sequence[Counted]) -> str:
    rows = [("steps", "epsilon", "counted as", "by")]
    for each in counts:
        figure = f"{lower_figure(each.bounds.lower)} to {upper_figure(each.bounds.upper)}"
        rows.append((f"{each.count.steps:,}", figure, each.count.rule, each.count.tools))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join(["steps, and epsilon at each count", *lines])


def markdown(reports: Sequence[Report | Refused], counts: Sequence[Counted] | None) -> str:
    """One table for all ledgers (a row a ledger, a column an accountant), the reasons, versions and date."""
    good = [report for report in reports if isinstance(report, Report)]
    names = list(dict.fromkeys(row.accountant.name for report in good for row in report.rows))
    versions = {}
    for report in good:
        for row in report.rows:
            if row.outcome.version:
                versions[row.accountant.package] = row.outcome.version
    shown = ", ".join(f"{package} {version}" for package, version in versions.items())
    lines = [
        f"refdp {refdp.__version__}, {document([])['date']}; {shown or 'no peer answered'}.",
        "",
        "| ledger, delta | truth (refdp) | " + " | ".join(names) + " |",
        "|" + "---|" * (len(names) + 2),
    ]
    for report in good:
        by_name = {row.accountant.name: row for row in report.rows}
        row_cells = [_entry(by_name[name]) for name in names]
        head = f"{report.case.name}, {report.case.delta:g}"
        lines.append(f"| {head} | {_truth(report)} | " + " | ".join(row_cells) + " |")
    lines += [
        "",
        "| accountant | rows | unsafe | overstated | largest shortfall | above by, median | no answer |",
    ]
    lines.append("|" + "---|" * 7)
    lines += [_summary(name, good) for name in names]
    lines += ["", "| reason | accountant: rows |", "|---|---|", *_reasons(good)]
    lines += [
        f"| refused: {report.name} | {report.error} |" for report in reports if isinstance(report, Refused)
    ]
    if counts is not None:
        lines += ["", "```", _counts(counts), "```"]
    return "\n".join(lines) + "\n"


def _entry(row: Row) -> str:
    if row.verdict is None:
        return row.outcome.status
    figure = _figure(row) + (" *as Poisson*" if row.read_as else "")
    return f"**{figure} {row.verdict.word}**" if row.verdict.wrong else figure


def _summary(name: str, reports: Sequence[Report]) -> str:
    rows = [row for report in reports for row in report.rows if row.accountant.name == name]
    judged = [row.verdict for row in rows if row.verdict is not None]
    unsafe = [v for v in judged if v.word == "unsafe"]
    over = sum(v.word == "overstated" for v in judged)
    worst = min((v.distance / (v.value - v.distance) for v in unsafe), default=0.0)
    above = sorted(
        v.distance / (v.value - v.distance)
        for v in judged
        if 0 < v.distance < math.inf and v.value > v.distance
    )
    median = f"{100 * above[len(above) // 2]:.2g} %" if above else "-"
    none: dict[str, int] = {}
    for row in rows:
        if row.verdict is None:
            none[row.outcome.status] = none.get(row.outcome.status, 0) + 1
    left = ", ".join(f"{count} {status}" for status, count in none.items()) or "-"
    shortfall = f"{100 * worst:.2g} %" if unsafe else "-"
    return f"| {name} | {len(judged)} | {len(unsafe)} | {over} | {shortfall} | {median} | {left} |"


def _reasons(reports: Sequence[Report]) -> list[str]:
    found: dict[str, dict[str, int]] = {}
    for report in reports:
        for row in report.rows:
            for name in dict.fromkeys(reason.id for reason in row.reasons):
                of = found.setdefault(name, {})
                of[row.accountant.name] = of.get(row.accountant.name, 0) + 1
    return [
        f"| {name} | " + ", ".join(f"{who}: {count}" for who, count in of.items()) + " |"
        for name, of in found.items()
    ]
