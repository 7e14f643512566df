"""Known disagreements are found and named, from what the accountants answered on 2026-11-23 (``recorded.json``)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from fake_peers import full_batch, mutated, poisson
from peer_cases import CASES, EXPECTED, RECORDED, by_name, request_of

from refdp.accounting import GaussianEvent, Ledger, Sampling, epsilon
from refdp.crosscheck import cells, check
from refdp.crosscheck.check import Row
from refdp.crosscheck.discovery import Accountant
from refdp.crosscheck.process import Outcome
from refdp.crosscheck.reasons import central_limit, fft_rounding, order_grid, relation
from refdp.crosscheck.truth import Truth

ROWS = {(row["case"], row["accountant"]): row for row in json.loads(RECORDED.read_text("utf-8"))["rows"]}
TRUTHS = {name: Truth(*case) for name, case in CASES.items()}


def answered(name: str, answer: dict[str, Any], ledger: Ledger, truth: Truth) -> Row:
    accountant = by_name()[name]
    outcome = Outcome("ok", None, "recorded", answer, 0.1, 1)
    return check.judged(accountant, request_of(accountant, ledger), outcome, truth)


def recorded(case: str, name: str) -> Row:
    return answered(name, ROWS[case, name]["answer"], CASES[case][0], TRUTHS[case])


def ids(row: Row) -> set[str]:
    return {reason.id for reason in row.reasons}


def words(row: Row) -> str:
    return "; ".join(reason.text for reason in row.reasons)


@pytest.mark.parametrize(("case", "name"), sorted(EXPECTED))
def test_a_recorded_answer_is_judged_and_explained(case: str, name: str) -> None:
    row = recorded(case, name)
    assert row.verdict is not None
    assert (row.verdict.word, ids(row)) == EXPECTED[case, name]


def test_every_record_is_used() -> None:
    assert set(ROWS) == set(EXPECTED)


def test_replace_one_is_named_with_its_figures() -> None:
    row = recorded("replace-one", "dp-accounting-rdp")
    assert row.verdict is not None
    assert row.verdict.value == pytest.approx(4.7285, abs=1e-4)
    assert 9.997256 < TRUTHS["replace-one"].upper < 9.997257
    assert "neighbouring relation ignored" in words(row)
    assert "replace-one is 9.99726" in words(row)


def test_the_order_grid_is_named_with_its_end_and_a_better_order() -> None:
    row = recorded("order grid", "opacus-rdp")
    assert row.verdict is not None
    assert row.verdict.value == pytest.approx(0.10287, abs=1e-5)
    assert "order grid stops at 63: order 1841.9 gives 0.00162779" in words(row)
    assert "order grid stops at 1024" in words(recorded("order grid", "dp-accounting-rdp"))


def test_the_cells_below_the_truth_are_found() -> None:
    """Opacus' one-step RDP is 0.0 at order 1.1, rate 1e-5, multiplier 50, where 2.2e-14 is true."""
    row = recorded("rdp cells", "opacus-rdp")
    assert row.cells is not None
    worst = row.cells.below[0]
    assert (worst.order, worst.theirs) == (1.1, 0.0)
    assert worst.truth == pytest.approx(2.2e-14, rel=0.01)
    assert "RDP 0 at order 1.1, rate 1e-05, multiplier 50, where 2.2e-14 is true" in words(row)
    clean = recorded("usual", "dp-accounting-rdp") if ("usual", "dp-accounting-rdp") in ROWS else None
    assert clean is None or not clean.cells or not clean.cells.below


def test_a_figure_that_no_cause_gives_is_called_unexplained() -> None:
    row = answered("dp-accounting-pld", {"epsilon": 0.3}, *case("usual"))
    assert row.verdict is not None
    assert row.verdict.word == "unsafe"
    assert ids(row) == {"unexplained"}


def case(name: str) -> tuple[Ledger, Truth]:
    return CASES[name][0], TRUTHS[name]


def test_another_conversion_is_named() -> None:
    answer = {**ROWS["usual", "jax-privacy-rdp"]["answer"]}
    grid = TRUTHS["usual"].rdp_on_grid(answer["orders"], "mironov2017")
    row = answered("jax-privacy-rdp", answer | {"epsilon": grid.value, "cells": []}, *case("usual"))
    assert "conversion" in ids(row)
    assert "conversion mironov2017; balle2020 gives 0.915934" in words(row)
    right = answered("jax-privacy-rdp", answer, *case("usual"))
    assert "conversion" not in ids(right)


def test_a_wrong_rdp_value_at_its_order_is_named() -> None:
    orders = [2.0, 4.0, 8.0, 12.0, 16.0]
    truth = TRUTHS["usual"]
    values = [truth.rdp(order) for order in orders]
    values[3] *= 0.5
    low = epsilon_at(12.0, values[3])
    row = answered(
        "dp-accounting-rdp", {"epsilon": low, "orders": orders, "rdp": values, "order": 12.0}, *case("usual")
    )
    assert "rdp-value" in ids(row)
    assert "RDP at the best order 12" in words(row) or "at order 12" in words(row)
    negative = [-1e-3, *values[1:]]
    zero = {"epsilon": 0.0, "orders": orders, "rdp": negative, "order": 2.0}
    assert "rdp-negative" in ids(answered("dp-accounting-rdp", zero, *case("usual")))


def epsilon_at(order: float, rdp: float) -> float:
    return rdp + math.log1p(-1 / order) - (math.log(1e-5) + math.log(order)) / (order - 1)


def test_a_lost_step_is_named() -> None:
    """Opacus' int(3 / (1 / 75)) is 224 steps, not 225."""
    assert int(3 / (1 / 75)) == 224
    truth = Truth(poisson(1.0, 1 / 75, 225), 1e-5)
    fewer = epsilon(poisson(1.0, 1 / 75, 224), 1e-5)
    row = answered("dp-accounting-pld", {"epsilon": fewer.upper}, truth.ledger, truth)
    assert "224 steps have epsilon" in words(row)
    assert ids(row) == {"steps"}


def test_central_limit_formula() -> None:
    """Opacus 1.6.0, GaussianAccountant: history [(1.1, 256 / 60000, 1170)], get_epsilon(1e-5)."""
    limit = TRUTHS["usual"].central_limit()
    assert limit is not None
    assert limit[0] == pytest.approx(0.5897593309210793, rel=1e-9)


@pytest.mark.parametrize(
    ("module", "old", "new", "of"),
    [
        (
            relation,
            "other is finding.seen",
            "other is not finding.seen",
            ("replace-one", "dp-accounting-rdp"),
        ),
        (
            order_grid,
            "not finding.same(grid.value)",
            "finding.same(grid.value)",
            ("order grid", "opacus-rdp"),
        ),
        (central_limit, "limit[0],", "2 * limit[0],", ("usual", "opacus-gdp")),
        (fft_rounding, "abs(off) > noise", "abs(off) < noise", ("tiny delta", "dp-accounting-pld")),
    ],
)
def test_a_broken_cause_is_noticed(
    module: Any, old: str, new: str, of: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find", mutated(module.find, old, new))
    row = recorded(*of)
    assert row.verdict is not None
    assert (row.verdict.word, ids(row)) != EXPECTED[of]


def test_a_broken_comparison_of_cells_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "compare", mutated(cells.compare, "theirs < true * (1", "theirs > true * (1"))
    row = recorded("rdp cells", "opacus-rdp")
    assert row.cells is not None
    assert not any(cell.theirs == 0.0 for cell in row.cells.below)


def test_unreadable_answers_are_no_figures() -> None:
    for answer in (
        {"epsilon": math.nan},
        {"epsilon": -3.0},
        {},
        {"epsilon": 1.0, "orders": [2.0], "cells": [{}]},
    ):
        row = answered("opacus-rdp", answer, *case("usual"))
        assert row.outcome.status == "not a number"
        assert row.outcome.cause
        assert row.verdict is None


def test_other_samplers_are_read_as_poisson_and_said_to_be() -> None:
    shuffled = Ledger("zero-out", (GaussianEvent(1.1, Sampling("shuffle", epochs=5)),))
    known = Ledger("zero-out", (GaussianEvent(1.1, Sampling("poisson", 0.01), 500),))
    own, reading = check.requests(shuffled, known)
    assert reading is not None
    assert (own.ledger, reading.ledger) == (shuffled, known)
    assert reading.read_as == "shuffle taken for poisson at rate 0.01"
    _, bare = check.requests(shuffled, None)
    assert bare is not None
    assert bare.read_as == "shuffle taken for one full batch an epoch"
    assert bare.to_json(1e-5)["events"] == [{"scheme": "full-batch", "rate": 1.0, "steps": [[1.1, 5]]}]
    balls = Ledger("zero-out", (GaussianEvent(1.1, Sampling("balls-and-bins", bins=20, epochs=3)),))
    _, taken = check.requests(balls, None)
    assert taken is not None
    assert taken.to_json(1e-5)["events"] == [{"scheme": "poisson", "rate": 0.05, "steps": [[1.1, 60]]}]


def test_groups_are_refused_by_every_peer() -> None:
    ledger = Ledger("add-remove", full_batch(1.0, 1).events, group_size=3)
    for accountant in by_name().values():
        assert isinstance(accountant, Accountant)
        assert check._request(accountant, *check.requests(ledger, None)) is None
