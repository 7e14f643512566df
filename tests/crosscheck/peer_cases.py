"""The findings that a cross-check must make: asked of the real accountants where they are installed, else recorded.

REFDP_PEERS="opacus=PYTHON,dp-accounting=PYTHON,..." names the interpreters in which they are. To record them anew:

    REFDP_PEERS=... python tests/crosscheck/peer_cases.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from fake_peers import full_batch, poisson

from refdp.accounting import GaussianEvent, Ledger, Sampling
from refdp.crosscheck.discovery import Accountant, accountants
from refdp.crosscheck.process import ask
from refdp.crosscheck.request import requests

RECORDED = Path(__file__).with_name("recorded.json")
WITHOUT_REPLACEMENT = Ledger(
    "replace-one",
    (GaussianEvent(1.0, Sampling("without-replacement", dataset_size=1000, batch_size=10), 100),),
)
CASES: dict[str, tuple[Ledger, float]] = {
    "replace-one": (full_batch(1.0, 1, "replace-one"), 1e-5),
    "order grid": (poisson(10.0, 1e-4, 10), 1e-5),
    "usual": (poisson(1.1, 256 / 60000, 1170), 1e-5),
    "tiny delta": (poisson(1.1, 0.004, 10_000), 1e-12),
    "rdp cells": (poisson(50.0, 1e-5, 1000), 1e-5),
    "without replacement": (WITHOUT_REPLACEMENT, 1e-5),
}
EXPECTED: dict[tuple[str, str], tuple[str, set[str]]] = {
    ("replace-one", "dp-accounting-rdp"): ("unsafe", {"relation", "rdp"}),
    ("replace-one", "dp-accounting-pld"): ("agrees", set()),
    ("replace-one", "opacus-rdp"): ("unsafe", {"relation", "rdp"}),
    ("replace-one", "opacus-prv"): ("unsafe", {"relation", "stated-error"}),
    ("replace-one", "autodp-rdp"): ("unsafe", {"relation", "rdp"}),
    ("order grid", "opacus-rdp"): ("above", {"rdp", "order-grid", "rdp-cells"}),
    ("order grid", "dp-accounting-rdp"): ("above", {"rdp", "order-grid"}),
    ("order grid", "dp-accounting-pld"): ("above", {"discretisation"}),
    ("usual", "opacus-gdp"): ("unsafe", {"clt"}),
    ("usual", "opacus-prv"): ("above", {"stated-error"}),
    ("usual", "dp-accounting-pld"): ("agrees", set()),
    ("usual", "dp-accounting-pld-optimistic"): ("below", {"discretisation"}),
    ("usual", "prv-accountant"): ("above", {"stated-error"}),
    ("usual", "autodp-rdp"): ("above", {"rdp", "order-grid"}),
    ("usual", "jax-privacy-rdp"): ("above", {"rdp", "order-grid"}),
    ("tiny delta", "dp-accounting-pld"): ("unsafe", {"fft-rounding"}),
    ("tiny delta", "jax-privacy-pld"): ("unsafe", {"fft-rounding"}),
    ("tiny delta", "opacus-prv"): ("unsafe", {"fft-rounding"}),
    ("tiny delta", "prv-accountant"): ("above", {"stated-error", "fft-rounding"}),
    ("rdp cells", "opacus-rdp"): ("above", {"order-grid", "rdp-cells"}),
    ("without replacement", "dp-accounting-rdp"): ("unsafe", {"relation", "rdp-value"}),
    ("without replacement", "jax-privacy-rdp"): ("above", {"pair"}),
    ("without replacement", "jax-privacy-pld"): ("undecided", {"pair"}),
    ("without replacement", "opacus-rdp"): ("unsafe", {"sampler", "relation", "rdp"}),
}


def interpreters() -> dict[str, str]:
    """Package to interpreter, from the environment."""
    items = [item.partition("=") for item in os.environ.get("REFDP_PEERS", "").split(",") if item.strip()]
    return {name.strip(): python.strip() for name, _, python in items}


def by_name() -> dict[str, Accountant]:
    """The shipped accountants."""
    return {each.name: each for each in accountants()}


def request_of(accountant: Accountant, ledger: Ledger) -> Any:
    """What this accountant is asked for a ledger."""
    own, reading = requests(ledger, None)
    known = all(event.sampling.scheme in accountant.schemes for event in ledger.events)
    return own if known else reading


def main() -> None:
    """Ask, and write ``recorded.json``."""
    known, pythons, found = by_name(), interpreters(), []
    for case, name in EXPECTED:
        ledger, delta = CASES[case]
        accountant = known[name]
        asked = request_of(accountant, ledger).to_json(delta)
        got = ask(accountant, asked, pythons[accountant.package], timeout=120, memory=2**33)
        assert got.status == "ok", (case, name, got)
        row = {"case": case, "accountant": name, "version": got.version, "answer": got.answer}
        found.append(row)
    text = json.dumps(
        {
            "how": "REFDP_PEERS=... python tests/crosscheck/peer_cases.py: each accountant's own answer",
            "date": "2026-11-23",
            "rows": found,
        }
    )
    RECORDED.write_text(text.replace('{"case"', '\n{"case"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
