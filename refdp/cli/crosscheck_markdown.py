"""The tables of docs/agreement.md, from a cross-check's JSON document."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from refdp.cli.crosscheck_text import figure, share, step_counts, truth
from refdp.crosscheck.verdict import WRONG

_SUMMARY = (
    "accountant", "claims", "figures", "unsafe", "overstated", "worst shortfall", "above, median", "no figure",
    "seconds, median", "MiB, most",
)  # fmt: skip


def markdown(found: dict[str, Any]) -> str:
    """Versions and date; a row an accountant; which reason how often; a row a ledger."""
    cases = [case for case in found["cases"] if "error" not in case]
    names = list(dict.fromkeys(row["accountant"] for case in cases for row in case["peers"]))
    versions = {
        row["package"]: row["version"]
        for case in cases
        for row in case["peers"]
        if row["version"] is not None
    }
    tools = ", ".join(f"{package} {version}" for package, version in versions.items())
    lines = [f"{found['date']}: refdp {found['refdp']}; {tools or 'no other accountant answered'}.", ""]
    lines += _table(_SUMMARY, [_summary(name, cases) for name in names])
    lines += ["", *_table(("reason", "accountants: ledgers"), _reasons(cases))]
    head = ("ledger, delta", "truth", *names)
    lines += ["", *_table(head, [_ledger(case, names) for case in cases])]
    bad = [(case["id"], case["error"]) for case in found["cases"] if "error" in case]
    if bad:
        lines += ["", *_table(("refused", "why"), bad)]
    if "step_counts" in found:
        lines += ["", "```", step_counts(found["step_counts"]), "```"]
    return "\n".join(lines) + "\n"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    body = [" | ".join(row) for row in (head, *rows)]
    return [f"| {body[0]} |", "|" + "---|" * len(head), *(f"| {line} |" for line in body[1:])]


def _ledger(case: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    by_name = {row["accountant"]: row for row in case["peers"]}
    cells = [_entry(by_name[name]) if name in by_name else "" for name in names]
    return (f"{case['id']}, {case['delta']:g}", truth(case["epsilon"]), *cells)


def _entry(row: dict[str, Any]) -> str:
    if row["verdict"] is None:
        return str(row["status"])
    shown = figure(row)
    return f"**{shown} {row['verdict']}**" if row["verdict"] in WRONG else shown


def _summary(name: str, cases: list[dict[str, Any]]) -> tuple[str, ...]:
    rows = [row for case in cases for row in case["peers"] if row["accountant"] == name]
    judged = [row for row in rows if row["verdict"] is not None]
    words = [row["verdict"] for row in judged]
    short = [off for row in judged if row["verdict"] == "unsafe" and (off := share(row)) is not None]
    above = [
        off for row in judged if row["verdict"] in ("above", "agrees") and (off := share(row)) and off > 0
    ]
    none: dict[str, int] = {}
    for row in rows:
        if row["verdict"] is None:
            none[row["status"]] = none.get(row["status"], 0) + 1
    return (
        name,
        rows[0]["side"],
        str(len(judged)),
        str(words.count("unsafe")),
        str(words.count("overstated")),
        f"{-100 * min(short):.2g} %" if short else "-",
        f"{100 * statistics.median(above):.2g} %" if above else "-",
        ", ".join(f"{count} {status}" for status, count in none.items()) or "-",
        f"{statistics.median(row['seconds'] for row in judged):.2g}" if judged else "-",
        f"{max(row['peak_memory_bytes'] for row in rows) / 2**20:.0f}",
    )


def _reasons(cases: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    found: dict[str, dict[str, int]] = {}
    for row in (row for case in cases for row in case["peers"]):
        for name in dict.fromkeys(reason["id"] for reason in row["reasons"]):
            of = found.setdefault(name, {})
            of[row["accountant"]] = of.get(row["accountant"], 0) + 1
    return [(name, ", ".join(f"{who}: {count}" for who, count in of.items())) for name, of in found.items()]
