"""The reference values in golden/accounting.json."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import named_checks
import numpy as np
import pytest
from named_checks import poisson, rows

import refdp.accounting as acc
from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule
from refdp.accounting.accountant import epsilon_upper


def test_the_file_holds_what_it_should() -> None:
    assert len(rows("rdp")) == 294
    assert len([r for r in rows("rdp") if "reverse_value" in r]) == 210
    assert [len(rows(k)) for k in ("dpsgd_eps", "dpsgd_delta", "hetero_eps", "other")] == [22, 2, 7, 7]


def test_rdp_rows() -> None:
    named_checks.check_rdp_above_truth()
    named_checks.check_rdp_close_to_truth()


def test_rdp_reverse_rows_and_forward_dominates() -> None:
    for row in rows("rdp"):
        if "reverse_value" not in row:
            continue
        reverse = Decimal(float(acc.rdp_poisson_gaussian_add(row["q"], row["sigma"], row["alpha"])[0]))
        truth = Decimal(row["reverse_value"])
        assert truth * (1 - Decimal("1e-13")) <= reverse <= truth * (1 + Decimal("1e-9")), row["id"]
        forward = Decimal(float(acc.rdp_poisson_gaussian(row["q"], row["sigma"], row["alpha"])[0]))
        assert forward >= reverse * (1 - Decimal("1e-9")), row["id"]
        assert forward >= truth, row["id"]


def test_epsilon_rows() -> None:
    named_checks.check_epsilon_encloses_truth()
    named_checks.check_upper_is_tight_for_rdp()


@pytest.mark.parametrize("row", rows("dpsgd_delta"), ids=lambda r: r["id"])
def test_delta_rows(row: dict[str, Any]) -> None:
    bounds = acc.delta(poisson(row["q"], row["sigma"], row["steps"]), row["eps"])
    assert row["truth"]["lo"] <= bounds.upper <= 100 * row["truth"]["hi"]
    assert bounds.lower is None or bounds.lower <= row["truth"]["hi"]


def _ratios(row: dict[str, Any]) -> np.ndarray:
    p, of = (np.arange(row["steps"]) + 0.5) / row["steps"], row["sched_params"]
    shapes = {
        "cosine": lambda: 1 + of["amp"] * np.cos(np.pi * p),
        "linear": lambda: of["start"] + (of["end"] - of["start"]) * p,
        "exp": lambda: of["start"] * (of["end"] / of["start"]) ** p,
        "cyclic": lambda: 1 + of["amp"] * np.sin(2 * np.pi * of["cycles"] * p),
    }
    r = shapes[row["schedule"]]()
    return r * np.sqrt(np.mean(1 / r**2))


_SLOW = ("cos_s0_cifar_amp0.25", "cos_s0_mnist_amp0.125", "cos_mnist_s0.8")  # half a minute, all three


@pytest.mark.parametrize(
    "row",
    [pytest.param(r, marks=pytest.mark.slow if r["id"] in _SLOW else ()) for r in rows("hetero_eps")],
    ids=lambda r: r["id"],
)
def test_schedule_rows(row: dict[str, Any]) -> None:
    if row["schedule"] == "cosine":
        shape = {"amplitude": row["sched_params"]["amp"]}
        schedule = Schedule("cosine", row["steps"], row["sigma"], shape, "harmonic")
        np.testing.assert_allclose(schedule.ratios(), _ratios(row), rtol=1e-13)
        ledger = poisson(row["q"], schedule, row["steps"])
    else:  # a shape of its own: one event a step
        scheme = Sampling("poisson", row["q"])
        ledger = Ledger("add-remove", [GaussianEvent(row["sigma"] * r, scheme) for r in _ratios(row)])
    bounds = acc.epsilon(ledger, row["delta"])
    assert bounds.upper >= row["truth"]["lo"]
    assert bounds.lower <= row["truth"]["hi"]
    assert bounds.rdp["upper"] <= row["rdp_continuous_order_eps"] * (1 + 1e-6)
    assert bounds.upper - bounds.lower <= 1e-4 * bounds.upper
    if row["id"] == "cyclic":
        assert epsilon_upper(ledger, row["delta"]) == bounds.upper


def test_full_batch_rows() -> None:
    for row in rows("gaussian_eps") + rows("gaussian_delta"):
        for scheme in (Sampling("full-batch"), Sampling("poisson", 1.0)):
            ledger = Ledger("add-remove", (GaussianEvent(row["sigma"], scheme, row["steps"]),))
            ask = acc.epsilon(ledger, row["delta"]) if "delta" in row else acc.delta(ledger, row["eps"])
            truth = Decimal(row["truth"]["value"])
            assert Decimal(ask.lower) <= truth <= Decimal(ask.upper), row["id"]
            assert ask.upper <= ask.lower * (1 + 1e-9), row["id"]


def test_fixed_order_rows() -> None:
    named_checks.check_replace_one_doubles()
