"""The ``refdp-crosscheck/1`` document."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

import refdp
from refdp.crosscheck.check import Refused, Report, Row
from refdp.crosscheck.steps import Counted

SCHEMA = "refdp-crosscheck/1"


def document(reports: Sequence[Report | Refused], counts: Sequence[Counted] | None = None) -> dict[str, Any]:
    """Everything that was found, as a JSON document."""
    wrong = sum(report.wrong for report in reports if isinstance(report, Report))
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "refdp": refdp.__version__,
        "date": datetime.date.today().isoformat(),
        "wrong": wrong,
        "cases": [_case(report) for report in reports],
    }
    if counts is not None:
        found["step_counts"] = [count.to_json() for count in counts]
    return found


def _case(report: Report | Refused) -> dict[str, Any]:
    if isinstance(report, Refused):
        return {"id": report.name, "error": report.error}
    bounds = report.truth.bounds
    return {
        "id": report.case.name,
        "delta": report.case.delta,
        "neighboring": bounds.neighboring,
        "steps": report.truth.steps,
        "epsilon": {"lower": bounds.lower, "upper": bounds.upper},
        "seconds": report.truth.seconds,
        "notes": list(bounds.notes),
        "peers": [row_to_json(row) for row in report.rows],
    }


def row_to_json(row: Row) -> dict[str, Any]:
    """One accountant's row."""
    outcome, verdict = row.outcome, row.verdict
    return {
        "accountant": row.accountant.name,
        "package": row.accountant.package,
        "version": outcome.version,
        "status": outcome.status,
        "cause": outcome.cause,
        "side": row.accountant.side,
        "epsilon": dict(row.figures) if row.figures else None,
        "verdict": verdict.word if verdict else None,
        "distance": verdict.distance if verdict else None,
        "read_as": row.read_as,
        "reasons": [{"id": reason.id, "text": reason.text} for reason in row.reasons],
        "orders": _orders(row),
        "cells": row.cells.to_json() if row.cells else None,
        "seconds": outcome.seconds,
        "peak_memory_bytes": outcome.peak_memory_bytes,
    }


def _orders(row: Row) -> dict[str, Any] | None:
    orders, chosen = row.outcome.answer.get("orders"), row.outcome.answer.get("order")
    if not orders or row.outcome.answer.get("search"):
        return None
    usable = isinstance(chosen, int | float) and math.isfinite(chosen)
    return {
        "least": min(orders),
        "greatest": max(orders),
        "count": len(orders),
        "chosen": chosen if usable else None,
    }
