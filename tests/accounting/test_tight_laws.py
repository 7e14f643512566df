"""Laws of the two-sided bounds on random ledgers. An upper bound may be loose, so a law compares an upper end with a
lower end: what it may not do is contradict. REFDP_HYPOTHESIS=deep runs a hundred times as many."""

from __future__ import annotations

import dataclasses
import math
import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from named_checks import poisson
from tight_checks import epsilon_of

from refdp.accounting import Bounds, GaussianEvent, Ledger, Sampling, delta, epsilon, rdp_poisson_gaussian

DEEP = os.environ.get("REFDP_HYPOTHESIS") == "deep"
_ULPS = 1 + 1e-13


def _examples(count: int) -> settings:
    return settings(max_examples=100 * count if DEEP else count)


def _log_floats(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(math.log10(low), math.log10(high)).map(lambda e: 10.0**e)


_DELTAS = _log_floats(1e-30, 0.5)


@st.composite
def ledgers(draw: st.DrawFn, most: int = 4) -> Ledger:
    relation = draw(st.sampled_from(["add-remove", "zero-out", "replace-one"]))
    schemes = ["poisson", "poisson", "full-batch"]
    schemes += ["shuffle", "fixed-order"] if relation != "add-remove" else []
    events = []
    for _ in range(draw(st.integers(1, most))):
        scheme = draw(st.sampled_from(schemes))
        if scheme == "poisson":
            sampling = Sampling(scheme, rate=min(draw(_log_floats(1e-6, 1.0)), 1.0))
        elif scheme == "full-batch":
            sampling = Sampling(scheme)
        else:
            sampling = Sampling(scheme, epochs=draw(st.integers(1, 20)))
        count = int(draw(_log_floats(1, 1e6))) if sampling.passes is None else draw(st.integers(1, 3))
        events.append(GaussianEvent(draw(_log_floats(0.05, 1e3)), sampling, count))
    return Ledger(relation, tuple(events))


def _sane(bounds: Bounds) -> Bounds:
    assert bounds.upper is not None
    assert bounds.upper >= 0
    assert bounds.lower is None or 0 <= bounds.lower <= bounds.upper
    return bounds


def _no_more(less: Bounds, more: Bounds) -> None:
    """The first quantity is at most the second."""
    if less.lower is not None and more.upper is not None:
        assert less.lower <= more.upper * _ULPS + 1e-300


@given(ledgers(), _DELTAS, st.floats(1.0, 3.0), st.integers(0, 3))
@_examples(8)
def test_less_is_never_more(ledger: Ledger, at: float, factor: float, which: int) -> None:
    """More noise, fewer steps, a smaller rate, a larger delta, a prefix."""
    base = _sane(epsilon(ledger, at))
    place = which % len(ledger.events)
    event = ledger.events[place]
    less = [
        dataclasses.replace(event, noise=event.noise * factor),
        dataclasses.replace(event, count=int(event.count / factor)),
    ]
    if event.sampling.scheme == "poisson":
        less.append(dataclasses.replace(event, sampling=Sampling("poisson", event.sampling.rate / factor)))
    changed = less[which % len(less)]
    events = (*ledger.events[:place], changed, *ledger.events[place + 1 :])
    _no_more(_sane(epsilon(Ledger(ledger.neighboring, events), at)), base)
    _no_more(_sane(epsilon(ledger, min(at * factor, 0.9))), base)
    _no_more(_sane(epsilon(Ledger(ledger.neighboring, ledger.events[:place]), at)), base)


@given(ledgers(), _DELTAS, st.randoms())
@_examples(5)
def test_order_and_no_ops_do_not_matter(ledger: Ledger, at: float, rng: random.Random) -> None:
    whole = _sane(epsilon(ledger, at))
    nothing = [GaussianEvent(0.5, Sampling("poisson", 0.0), 7), GaussianEvent(0.5, Sampling("full-batch"), 0)]
    events = [*ledger.events, *nothing]
    rng.shuffle(events)
    other = _sane(epsilon(Ledger(ledger.neighboring, tuple(events)), at))
    _no_more(whole, other)
    _no_more(other, whole)
    assert other.upper == pytest.approx(whole.upper, rel=1e-6, abs=1e-12)


@given(ledgers(most=2), _DELTAS)
@_examples(6)
def test_round_trip(ledger: Ledger, at: float) -> None:
    """delta(upper epsilon) <= delta <= delta(lower epsilon)."""
    bounds = _sane(epsilon(ledger, at))
    if math.isfinite(bounds.upper):
        back = _sane(delta(ledger, bounds.upper))
        assert back.lower is None or back.lower <= at * (1 + 1e-12)
    if bounds.lower:
        assert _sane(delta(ledger, bounds.lower)).upper >= at * (1 - 1e-12)


@given(ledgers(), _DELTAS)
@_examples(6)
def test_rdp_is_above_the_tight_lower_end(ledger: Ledger, at: float) -> None:
    bounds = _sane(epsilon(ledger, at))
    rdp = _sane(epsilon(ledger, at, "rdp"))
    assert bounds.lower is None or rdp.upper >= bounds.lower
    assert bounds.upper <= rdp.upper


@given(_log_floats(1e-3, 0.9), _log_floats(0.4, 20), st.integers(2, 3000), st.floats(0.5, 20.0))
@_examples(8)
def test_delta_falls_with_epsilon(q: float, sigma: float, count: int, at: float) -> None:
    """And no faster than it may: delta(0), the total variation, is at most tanh(a / 2) (1 - delta(a)) + delta(a)."""
    near, far, half = (delta(poisson(q, sigma, count), e) for e in (0.0, at, at / 2))
    _no_more(far, half)
    _no_more(half, near)
    most = far.upper + math.tanh(at / 2) * (1 - far.upper)
    assert near.lower <= most * _ULPS


def test_prefixes_never_fall() -> None:
    """Epsilon after each prefix of a run."""
    last = None
    for count in (1, 2, 5, 20, 100, 1000, 10_000):
        now = _sane(epsilon(poisson(0.05, 0.9, count), 1e-6))
        assert last is None or now.upper >= last.lower
        assert now.upper - now.lower < 1e-4 * now.upper + 1e-9
        last = now


def test_directions() -> None:
    """Poisson: neither direction's epsilon is above the ledger's, and record present is never the lesser one here."""
    for q, sigma, count in ((0.01, 1.0, 500), (0.3, 3.0, 100), (0.9, 5.0, 50), (1e-3, 0.7, 3000)):
        ledger = poisson(q, sigma, count)
        whole = epsilon(ledger, 1e-6)
        remove, add = epsilon_of(ledger, 1, 1e-6), epsilon_of(ledger, -1, 1e-6)
        assert max(remove[0], add[0]) <= whole.upper
        assert whole.lower <= max(remove[1], add[1])
        assert add[0] <= remove[1]


def test_schedule_against_its_harmonic_constant() -> None:
    """In RDP at integer orders a schedule costs at least its harmonic constant; in (epsilon, delta) it need not."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        sigmas = np.exp(rng.normal(0, 0.5, rng.integers(2, 12)))
        flat = 1 / math.sqrt(float(np.mean(1 / sigmas**2)))
        q, order = float(10 ** rng.uniform(-4, 0)), float(rng.integers(2, 40))
        each = [float(rdp_poisson_gaussian(q, float(s), order)[0]) for s in sigmas]
        assert sum(each) >= len(each) * float(rdp_poisson_gaussian(q, flat, order)[0]) * (1 - 1e-9)
    both = (GaussianEvent(1 / 7, Sampling("poisson", 0.01)), GaussianEvent(1.0, Sampling("poisson", 0.01)))
    assert math.isclose((7**2 + 1) / 2, 1 / 0.2**2)
    schedule = epsilon(Ledger("add-remove", both), 0.015)
    constant = epsilon(poisson(0.01, 0.2, 2), 0.015)
    assert (schedule.lower, schedule.upper) == (0.0, 0.0)
    assert 3.44 < constant.lower <= constant.upper < 3.45  # hockey_stick: 3.4444
