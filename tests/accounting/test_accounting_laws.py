"""Metamorphic laws."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import named_checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from named_checks import poisson

from refdp.accounting import Bounds, GaussianEvent, Ledger, Sampling, Schedule, epsilon, rdp_poisson_gaussian

_SIGMAS = st.floats(-0.5, 3).map(lambda e: 10.0**e)
_RATES = st.floats(-6, 0).map(lambda e: 10.0**e)
_COUNTS = st.floats(0, 4).map(lambda e: int(10.0**e))
_DELTAS = st.floats(-20, -0.3).map(lambda e: 10.0**e)
_FACTORS = st.floats(1.0, 3.0)


def _no_higher(less: Bounds, more: Bounds) -> None:
    assert less.upper <= more.upper * (1 + 1e-6) + 1e-12
    if less.lower is not None:
        assert less.lower <= more.upper * (1 + 1e-12)


@given(_RATES, _SIGMAS, _COUNTS, _DELTAS, _FACTORS)
@settings(max_examples=8)
def test_less_is_never_more(q: float, sigma: float, count: int, at: float, factor: float) -> None:
    base = epsilon(poisson(q, sigma, count), at)
    _no_higher(epsilon(poisson(q, sigma * factor, count), at), base)
    _no_higher(epsilon(poisson(q, sigma, int(count / factor)), at), base)
    by_rdp = epsilon(
        poisson(q, sigma, count), at, "rdp"
    )  # at rate 1 the exact Gaussian is known, below 1 not
    _no_higher(epsilon(poisson(q / factor, sigma, count), at), by_rdp)
    _no_higher(epsilon(poisson(q, sigma, count), min(at * factor, 0.9)), base)


def test_named_monotone() -> None:
    named_checks.check_monotone_in_noise()


def _relative(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b), 1e-300)


@given(st.lists(st.tuples(_RATES, _SIGMAS, _COUNTS), min_size=2, max_size=4), _DELTAS, st.randoms())
@settings(max_examples=6)
def test_order_splitting_and_no_ops(parts: list[tuple[float, float, int]], at: float, rng: object) -> None:
    events = [GaussianEvent(s, Sampling("poisson", q), n) for q, s, n in parts]
    whole = epsilon(Ledger("zero-out", tuple(events)), at)
    shuffled = events.copy()
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    extra = [
        GaussianEvent(0.0, Sampling("poisson", 0.3), 0),
        GaussianEvent(0.0, Sampling("poisson", 0.0), 5),
        GaussianEvent(0.01, Sampling("shuffle", epochs=0)),
    ]
    first = events[0]
    split = [
        dataclasses.replace(first, count=first.count // 3),
        *events[1:],
        dataclasses.replace(first, count=first.count - first.count // 3),
    ]
    for variant in (shuffled, [extra[0], *events, *extra[1:]], split):
        other = epsilon(Ledger("zero-out", tuple(variant)), at)
        assert _relative(whole.upper, other.upper) < 1e-12
        assert _relative(whole.lower, other.lower) < 1e-12


@given(_SIGMAS, _COUNTS, _DELTAS)
def test_rate_one_is_full_batch(sigma: float, count: int, at: float) -> None:
    for relation in ("add-remove", "zero-out", "replace-one"):
        full = Ledger(relation, (GaussianEvent(sigma, Sampling("full-batch"), count),))
        assert epsilon(poisson(1.0, sigma, count, relation), at) == epsilon(full, at)


@given(st.floats(-0.95, 0.95), st.integers(2, 60), st.data())
@settings(max_examples=4)
def test_prefix_of_a_schedule(amplitude: float, steps: int, data: st.DataObject) -> None:
    schedule = Schedule("cosine", steps, 1.0, {"amplitude": amplitude})
    cut = data.draw(st.integers(0, steps))
    event = GaussianEvent(schedule, Sampling("poisson", 0.02), cut)
    prefix, whole = (
        epsilon(Ledger("add-remove", (event,)), 1e-5),
        epsilon(poisson(0.02, schedule, steps), 1e-5),
    )
    _no_higher(prefix, whole)
    one_by_one = [GaussianEvent(s, event.sampling) for s in schedule.noise_multipliers()[:cut]]
    assert _relative(epsilon(Ledger("add-remove", tuple(one_by_one)), 1e-5).upper, prefix.upper) < 1e-12
    assert Ledger.from_json(json.dumps(Ledger("add-remove", (event,)).to_json())).events == (event,)


def test_json_round_trip_of_every_kind() -> None:
    schedule = Schedule("cosine", 9, 0.1 + 0.2, {"amplitude": -1 / 3}, "harmonic")
    ledger = Ledger(
        "zero-out",
        (
            GaussianEvent(1 / 3, Sampling("poisson", 1 / 7), 10**9),
            GaussianEvent(schedule, Sampling("poisson", 0.1), 9),
            GaussianEvent(schedule, Sampling("full-batch"), 4),
            GaussianEvent(5e-324, Sampling("shuffle", epochs=3), 2),
            GaussianEvent(0.0, Sampling("fixed-order", epochs=1)),
        ),
    )
    assert Ledger.from_json(json.dumps(ledger.to_json(), allow_nan=False)) == ledger
    assert pickle.loads(pickle.dumps(ledger)) == copy.deepcopy(ledger) == ledger
    assert hash(pickle.loads(pickle.dumps(ledger))) == hash(ledger)
    numpy_numbers = GaussianEvent(np.float32(0.5), Sampling("poisson", np.float64(0.1)), np.int64(3))
    assert json.loads(json.dumps(numpy_numbers.to_json()))["count"] == 3


def test_ledgers_are_immutable() -> None:
    parameters = {"amplitude": 0.5}
    schedule = Schedule("cosine", 5, 1.0, parameters)
    events = [GaussianEvent(schedule, Sampling("poisson", 0.1), 5)]
    ledger = Ledger("add-remove", events)  # type: ignore[arg-type]
    before = epsilon(ledger, 1e-5)
    parameters["amplitude"] = 0.9
    events.append(events[0])
    grown = ledger + Ledger("add-remove", (GaussianEvent(1.0, Sampling("poisson", 0.1)),))
    assert (len(ledger.events), len(grown.events)) == (1, 2)
    assert epsilon(ledger, 1e-5) == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        ledger.neighboring = "zero-out"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        ledger.events[0].count = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        schedule.parameters["amplitude"] = 0.1  # type: ignore[index]
    other = Ledger("zero-out")
    with pytest.raises(ValueError, match="must equal the first ledger's"):
        ledger + other
    assert len(ledger.events) == 1
    assert other.events == ()


@given(_RATES, _SIGMAS, st.floats(-4, 3))
def test_rdp_rises_with_the_order(q: float, sigma: float, exponent: float) -> None:
    order = 1 + 10.0**exponent
    low, high = rdp_poisson_gaussian(q, sigma, [order, 1 + (order - 1) * 1.5])
    assert 0 < low <= high * (1 + 1e-9)
    assert high <= (1 + (order - 1) * 1.5) / (2 * sigma**2) * (1 + 1e-12)
