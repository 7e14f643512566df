"""Probes of installed packages: the judgement of numbers, here; and Opacus itself, where REFDP_PEERS names it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from live_cases import LIMITS, python_of

from refdp.clippers.adaptive import gradient_noise_multiplier
from refdp.clippers.quantile import Quantile
from refdp.crosscheck.training import findings
from refdp.crosscheck.training.findings import ask_all, judge, probes

CLIP: dict[str, Any] = {"clip_norm": 1.0, "norms": [1.0, 2.0, 1e-3]}
ADACLIP: dict[str, Any] = {"noise_multiplier": 1.0, "clip_norm": 1.0, "draws": 4000, "count_noise": 1.0}
JOINT = gradient_noise_multiplier(1.0, 1.0)  # of the gradient, where a centred count has noise 1
BATCHES: dict[str, Any] = {"batch_size": 100, "batches": 10}
CASES: dict[str, tuple[str, dict[str, Any], tuple[str, bool | None] | None]] = {
    "clips exactly": ("clip-factor", CLIP | {"clipped_norms": [1.0, 1.0, 1e-3]}, None),
    "clips to rounding": ("clip-factor", CLIP | {"clipped_norms": [1.0, 1.0 - 2**-24, 1e-3]}, None),
    "adds to the norm": (
        "clip-factor",
        CLIP | {"clipped_norms": [1 / (1 + 1e-6), 2 / (2 + 1e-6), 1e-3]},
        ("clip-epsilon", True),
    ),
    "clips above": ("clip-factor", CLIP | {"clipped_norms": [1.0, 1.001, 1e-3]}, ("clipped-above", False)),
    "a centred count": ("adaclip", ADACLIP | {"count_shift": 0.5, "gradient_noise": JOINT}, None),
    "a whole count": (
        "adaclip",
        ADACLIP | {"count_shift": 1.0, "gradient_noise": JOINT},
        ("count-not-centred", False),
    ),
    "a whole count, falling": (
        "adaclip",
        ADACLIP | {"count_shift": -1.0, "gradient_noise": JOINT},
        ("count-not-centred", False),
    ),
    "noise for a whole count": (
        "adaclip",
        ADACLIP | {"count_shift": 1.0, "gradient_noise": JOINT, "count_noise": 2.0},
        None,
    ),
    "drops NaN": ("nan", {"records": 4, "entries": 3, "not_finite": 0}, None),
    "passes NaN": ("nan", {"records": 4, "entries": 3, "not_finite": 3}, ("nan-passes", False)),
    "a multiple": (
        "expected-batch-size",
        BATCHES | {"records": 1000, "divisor": 100.0, "sample_rate": 0.1},
        None,
    ),
    "no multiple": (
        "expected-batch-size",
        {"batch_size": 100, "batches": 11, "records": 1050, "divisor": 95.0, "sample_rate": 1 / 11},
        ("expected-batch-size", True),
    ),
    "any layout": ("channels-last", {"relative_error": {"contiguous": 1e-7, "channels_last": 1e-7}}, None),
    "one layout": (
        "channels-last",
        {"relative_error": {"contiguous": 1e-7, "channels_last": 1.0}},
        ("channels-last-patches", None),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_decide(case: str) -> None:
    probe, answer, expected = CASES[case]
    found = judge(f"opacus-{probe}", answer)
    assert (None if found is None else (found.id, found.safe)) == expected


def test_a_count_moves_by_what_refdps_own_rule_says() -> None:
    assert Quantile(1.0).count_sensitivity(1) == findings.CENTRED


def test_every_probe_has_its_judge() -> None:
    assert {probe.name for probe in probes()} == set(findings._JUDGES)


def test_a_probe_that_fails_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(
        "PACKAGE = 'p'\nPROBES = {'opacus-nan': 'x'}\n"
        "def load(): return '1'\ndef answer(probe, case): raise KeyError('gone')\n",
        encoding="utf-8",
    )
    ((_, outcome, cause),) = ask_all(probes(tmp_path), {"p": sys.executable}, **LIMITS)
    assert (outcome.status, cause) == ("crashed", None)


OPACUS = {
    "opacus-clip-factor": ("clip-epsilon", True),
    "opacus-adaclip": ("count-not-centred", False),
    "opacus-nan": ("nan-passes", False),
    "opacus-expected-batch-size": ("expected-batch-size", True),
    "opacus-channels-last": ("channels-last-patches", None),
}


@pytest.fixture(scope="module")
def asked() -> dict[str, Any]:
    python = python_of("opacus")
    return {probe.name: rest for probe, *rest in ask_all(probes(), {"opacus": python}, **LIMITS)}


@pytest.mark.parametrize("name", OPACUS)
def test_opacus(asked: dict[str, Any], name: str) -> None:
    outcome, cause = asked[name]
    assert outcome.status == "ok", outcome.cause
    if outcome.version != "1.6.0":
        pytest.skip(f"Opacus {outcome.version}: these are the findings of 1.6.0")
    assert (cause.id, cause.safe) == OPACUS[name]


def test_the_figures_of_opacus(asked: dict[str, Any]) -> None:
    answers = {name: outcome.answer for name, (outcome, _) in asked.items()}
    count = answers["opacus-adaclip"]
    assert count["count_shift"] == pytest.approx(1.0, abs=1e-6)
    assert count["count_noise"] == pytest.approx(1.0, rel=0.06)
    assert count["gradient_noise"] == pytest.approx(JOINT, rel=0.06)
    assert answers["opacus-expected-batch-size"]["divisor"] == 95
    assert answers["opacus-channels-last"]["relative_error"]["contiguous"] < 1e-6
