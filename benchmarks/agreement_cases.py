"""The reference rows as ledgers, for the table of docs/agreement.md.

    python benchmarks/agreement_cases.py > cases.jsonl
    refdp crosscheck accountant --cases cases.jsonl --timeout 30 --jobs 2 --markdown table.md --json > agreement.json

Rows that ask for delta at an epsilon are left out: a cross-check asks for epsilon. Fixed order is asked under both of
its relations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "accounting" / "golden" / "accounting.json"


def ledgers(row: dict[str, Any]) -> Iterator[tuple[str, Ledger]]:
    """(id, ledger) of one row; none for rows of other kinds."""
    name, kind = row["id"], row["kind"]
    if kind == "dpsgd_eps":
        event = GaussianEvent(row["sigma"], Sampling("poisson", row["q"]), row["steps"])
        yield name, Ledger("add-remove", (event,))
    elif kind == "gaussian_eps":
        yield name, Ledger("add-remove", (GaussianEvent(row["sigma"], Sampling("full-batch"), row["steps"]),))
    elif kind == "hetero_eps":
        yield name, Ledger("add-remove", tuple(scheduled(row)))
    elif kind == "other":
        event = GaussianEvent(row["sigma"], Sampling("fixed-order", epochs=row["epochs"]))
        for relation in ("zero-out", "replace-one"):
            yield f"{name} {relation}", Ledger(relation, (event,))


def scheduled(row: dict[str, Any]) -> list[GaussianEvent]:
    """A schedule that ledgers have, or an event a step."""
    of, steps, sampling = row["sched_params"], row["steps"], Sampling("poisson", row["q"])
    if row["schedule"] == "cosine":
        shape = {"amplitude": of["amp"]}
        return [GaussianEvent(Schedule("cosine", steps, row["sigma"], shape, "harmonic"), sampling, steps)]
    p = (np.arange(steps) + 0.5) / steps
    if row["schedule"] == "linear":
        ratios = of["start"] + (of["end"] - of["start"]) * p
    elif row["schedule"] == "exp":
        ratios = of["start"] * (of["end"] / of["start"]) ** p
    else:
        ratios = 1 + of["amp"] * np.sin(2 * np.pi * of["cycles"] * p)
    multipliers = row["sigma"] * ratios * np.sqrt(np.mean(1 / ratios**2))
    return [GaussianEvent(float(s), sampling) for s in multipliers]


def main() -> None:
    """Print a case a line."""
    for row in json.loads(GOLDEN.read_text(encoding="utf-8"))["rows"]:
        for name, ledger in ledgers(row):
            print(json.dumps({"id": name, "delta": row["delta"], **ledger.to_json()}))


if __name__ == "__main__":
    main()
