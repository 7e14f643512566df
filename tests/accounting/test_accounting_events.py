"""Events, samplers, groups, schedules: what a ledger may hold, and what it must refuse."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.accounting import (
    AccountingError,
    BandMFEvent,
    GaussianEvent,
    HistogramEvent,
    Ledger,
    QuantileEvent,
    Release,
    Sampling,
    Schedule,
    UnsupportedEventError,
    epsilon,
    rdp_poisson_gaussian,
)
from refdp.accounting.kernels import Poisson, PoissonReplace, TruncatedPoisson, Unsampled, WithoutReplacement
from refdp.schema import check_schema

FULL, HALF = Sampling("full-batch"), Sampling("poisson", 0.5)
TEN = {"dataset_size": 10}

_WHOLE = st.integers(0, 50)
_SAMPLINGS = st.one_of(
    st.builds(Sampling, st.just("poisson"), rate=st.floats(0, 1)),
    st.just(FULL),
    st.builds(Sampling, st.sampled_from(["shuffle", "fixed-order"]), epochs=_WHOLE),
    st.builds(Sampling, st.just("without-replacement"), dataset_size=st.integers(50, 99), batch_size=_WHOLE),
    st.builds(
        Sampling,
        st.just("truncated-poisson"),
        rate=st.floats(0, 1),
        dataset_size=st.integers(1, 99),
        max_batch_size=_WHOLE,
    ),
    st.builds(Sampling, st.just("balls-and-bins"), bins=st.integers(1, 50), epochs=_WHOLE),
)
_NOISES = st.floats(0, 1e300)


@st.composite
def releases(draw: st.DrawFn) -> Release:
    sampling, count = draw(_SAMPLINGS), draw(_WHOLE)
    noise: float | Schedule = draw(_NOISES)
    if sampling.passes is None and draw(st.booleans()):
        noise = Schedule("linear", count + draw(_WHOLE), 1.5, {"start": 2.0, "end": draw(st.floats(0.1, 3))})
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return GaussianEvent(noise, sampling, count)
    joint: dict[str, Any] = {"count_noise": draw(_NOISES)}
    if draw(st.booleans()):
        noise, joint = None, joint | {"batch": "own"}  # type: ignore[assignment]
    if kind == 1:
        return QuantileEvent(noise, sampling, count, sensitivity=draw(st.floats(0.5, 9)), **joint)
    if kind == 2:
        return HistogramEvent(noise, sampling, count, bins=draw(st.sampled_from([None, 1, 7])), **joint)
    return BandMFEvent(draw(_NOISES), Sampling("poisson", 0.1), count, bands=draw(st.integers(1, 9)))


@given(releases(), st.sampled_from(["add-remove", "zero-out", "replace-one"]), st.integers(1, 3))
@settings(max_examples=200)
def test_every_release_is_charged_or_refused(event: Release, relation: str, size: int) -> None:
    try:
        event.check(relation, size)
    except UnsupportedEventError:
        with pytest.raises(UnsupportedEventError):
            event.charges(relation, size)
        with pytest.raises(UnsupportedEventError):
            Ledger(relation, (event, event), size)
        return
    ledger = Ledger(relation, (event, event), size)
    text = json.dumps(ledger.to_json(), allow_nan=False)
    check_schema("ledger", json.loads(text), "ledger")
    assert Ledger.from_json(text) == ledger == pickle.loads(pickle.dumps(ledger)) == copy.deepcopy(ledger)
    assert hash(Ledger.from_json(text)) == hash(ledger)
    for kernel, multipliers, counts in event.charges(relation, size):
        assert multipliers.shape == counts.shape
        assert np.all(counts > 0)
        assert np.all(multipliers >= 0)
        assert np.all(np.diff(multipliers) >= 0)
        assert isinstance(kernel.name, str)
        noisy = multipliers[multipliers > 0][:2]
        assert np.all(kernel.rdp(noisy, 2.5) >= 0)
        assert kernel.sampled or kernel.lower_pairs() is None or kernel.attained
    assert event.is_no_op() == (not event.charges(relation, size))


def test_degenerate_samplings_are_their_simple_selves() -> None:
    def kernel(relation: str, scheme: str, **fields: Any) -> Any:
        return GaussianEvent(1.0, Sampling(scheme, **fields)).kernel(relation)

    assert kernel("replace-one", "without-replacement", **TEN, batch_size=10) == Unsampled(2.0)
    assert kernel("replace-one", "without-replacement", **TEN, batch_size=4) == WithoutReplacement(0.4)
    assert kernel("zero-out", "poisson", rate=1.0) == Unsampled(1.0)
    assert kernel("replace-one", "poisson", rate=0.5) == PoissonReplace(0.5)
    assert kernel("zero-out", "truncated-poisson", rate=0.5, **TEN, max_batch_size=10) == Poisson(0.5)
    assert isinstance(
        kernel("add-remove", "truncated-poisson", rate=0.5, **TEN, max_batch_size=10), TruncatedPoisson
    )
    assert kernel("add-remove", "truncated-poisson", rate=0.5, **TEN, max_batch_size=11) == Poisson(0.5)
    assert kernel(
        "replace-one", "truncated-poisson", rate=1.0, **TEN, max_batch_size=4
    ) == WithoutReplacement(0.4)
    assert kernel("add-remove", "balls-and-bins", bins=1, epochs=2) == Unsampled(1.0)
    assert kernel("replace-one", "balls-and-bins", bins=9, epochs=2) == Unsampled(2.0, attained=False)
    assert kernel("zero-out", "shuffle", epochs=2) == Unsampled(1.0, attained=False)
    assert kernel("replace-one", "fixed-order", epochs=2) == Unsampled(2.0)


def test_no_ops_cost_nothing() -> None:
    for sampling in (
        Sampling("without-replacement", dataset_size=10, batch_size=0),
        Sampling("truncated-poisson", rate=0.0, dataset_size=10, max_batch_size=3),
        Sampling("truncated-poisson", rate=0.5, dataset_size=10, max_batch_size=0),
        Sampling("balls-and-bins", bins=4, epochs=0),
    ):
        event = GaussianEvent(0.0, sampling, 9)
        assert event.is_no_op()
        assert epsilon(Ledger("replace-one", (event,)), 1e-5).upper == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Sampling("without-replacement", **TEN, batch_size=11), "batch_size = 11: must not exceed"),
        (
            lambda: Sampling("without-replacement", dataset_size=0, batch_size=0),
            "dataset_size = 0: must be a whole",
        ),
        (lambda: Sampling("without-replacement", **TEN, batch_size=2.0), "batch_size = 2.0: must be a whole"),
        (
            lambda: Sampling("without-replacement", **TEN),
            r"takes batch_size, dataset_size; got \['dataset_size'\]",
        ),
        (lambda: Sampling("balls-and-bins", bins=0, epochs=1), "bins = 0: must be a whole number from 1"),
        (lambda: Sampling("truncated-poisson", rate=0.1, **TEN), "takes dataset_size, max_batch_size, rate"),
        (lambda: QuantileEvent(1.0, HALF, count_noise=-1), "count_noise = -1: must be finite and >= 0"),
        (lambda: QuantileEvent(1.0, HALF, count_noise=1, sensitivity=0.4), "must be >= 0.5"),
        (lambda: QuantileEvent(1.0, HALF, count_noise=1, batch="own"), "give either the gradient's noise"),
        (
            lambda: QuantileEvent(None, HALF, count_noise=1),
            "give the noise_multiplier or schedule of the gradient",
        ),
        (lambda: HistogramEvent(None, HALF, count_noise=1), "they are one release"),
        (
            lambda: HistogramEvent(1.0, HALF, count_noise=1, sensitivity=0),
            "sensitivity = 0: must be finite and > 0",
        ),
        (lambda: HistogramEvent(1.0, HALF, count_noise=1, batch="same"), "batch = 'same': must be own"),
        (lambda: GaussianEvent(None, HALF), "noise_multiplier = None"),
        (lambda: BandMFEvent(1.0, HALF, 3), "bands = 0: must be a whole number from 1"),
        (lambda: BandMFEvent(1.0, FULL, 3, bands=1), "only poisson within groups"),
        (lambda: BandMFEvent(Schedule("constant", 3), HALF, 3, bands=1), "a schedule is not supported"),
        (lambda: Ledger("replace-one", (BandMFEvent(1.0, HALF, 3, bands=1),)), "add-remove or zero-out only"),
        (lambda: Ledger("zero-out", (), 0), "group_size = 0: must be a whole number from 1"),
        (lambda: Ledger("zero-out", (), True), "group_size = True"),
        (
            lambda: Ledger("zero-out", (), 2) + Ledger("zero-out"),
            "group_size = 1: must equal the first ledger's, 2",
        ),
        (
            lambda: Ledger(
                "replace-one",
                (GaussianEvent(1.0, Sampling("without-replacement", **TEN, batch_size=2)),),
                2,
            ),
            "group_size = 2: no bound is proven",
        ),
        (
            lambda: Ledger(
                "zero-out", (GaussianEvent(1.0, Sampling("balls-and-bins", bins=2, epochs=1)),), 2
            ),
            "sampling balls-and-bins with group_size = 2",
        ),
    ],
)
def test_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(AccountingError, match=message):
        call()


_BASE: dict[str, Any] = {"sampling": {"scheme": "poisson", "rate": 0.1}, "noise_multiplier": 1.0, "count": 2}


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"mechanism": "quantile"}, "quantile event: 'count_noise' is required"),
        ({"mechanism": "histogram"}, "histogram event: 'count_noise' is required"),
        ({"mechanism": "band-mf"}, "band-mf event: 'bands' is required"),
        ({"mechanism": "quantile", "count_noise": 1, "bins": 3}, "quantile event: unknown field 'bins'"),
        ({"mechanism": "quantile", "count_noise": "1"}, "count_noise = '1'"),
        ({"mechanism": "quantile", "count_noise": None}, "count_noise = None"),
        ({"mechanism": "gaussian", "count_noise": 1}, "gaussian event: unknown field 'count_noise'"),
        (
            {"mechanism": "tree"},
            "'tree' is not supported: it must be one of gaussian, quantile, histogram, band-mf",
        ),
        ({"mechanism": ["gaussian"]}, "is not supported"),
        (
            {"mechanism": "gaussian", "sampling": {"scheme": "poisson", "rate": 0.1, "bins": 3}},
            "takes rate; got",
        ),
    ],
)
def test_bad_documents(event: dict[str, Any], message: str) -> None:
    document = {"schema": "refdp-ledger/1", "neighboring": "add-remove", "events": [_BASE | event]}
    with pytest.raises(AccountingError, match=message):
        Ledger.from_json(json.dumps(document))


def test_group_size_travels() -> None:
    ledger = Ledger("zero-out", (GaussianEvent(2.0, FULL, 3),), 4)
    assert ledger.to_json()["group_size"] == 4
    assert Ledger.from_json(ledger.to_json()) == ledger
    assert "group_size" not in Ledger("zero-out").to_json()
    assert (ledger + ledger.events).group_size == 4


def test_the_accountant_reads_the_group_size() -> None:
    """Four records at multiplier 2 are one at multiplier 1/2, in full batches."""
    group = epsilon(Ledger("zero-out", (GaussianEvent(2.0, FULL, 3),), 4), 1e-5)
    alone = epsilon(Ledger("zero-out", (GaussianEvent(0.5, FULL, 3),)), 1e-5)
    assert group.upper == pytest.approx(alone.upper, rel=1e-12)


def test_the_accountant_claims_no_lower_bound_that_nobody_attains() -> None:
    ledger = Ledger("zero-out", (BandMFEvent(1.0, HALF, 9, bands=3),))
    assert not epsilon(ledger, 1e-5).lower
    quiet = GaussianEvent(1e7, FULL)
    both, alone = (
        epsilon(Ledger("zero-out", events), 1e-5) for events in ((quiet, *ledger.events), (quiet,))
    )
    assert both.lower <= alone.upper


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        ("linear", {"start": 2.0, "end": 1.0}, [1.875, 1.625, 1.375, 1.125]),
        ("exponential", {"start": 4.0, "end": 1.0}, [4**0.875, 4**0.625, 4**0.375, 4**0.125]),
        ("step", {"factor": 2.0, "every": 1, "steps_per_epoch": 2}, [1, 1, 2, 2]),
        ("noise-decay", {"factor": 0.8, "every": 2, "steps_per_epoch": 1}, [1, 1, 0.8, 0.8]),
    ],
)
def test_schedules(kind: str, parameters: dict[str, float], expected: list[float]) -> None:
    schedule = Schedule(kind, 4, 3.0, parameters)
    assert schedule.noise_multipliers() == pytest.approx(3 * np.array(expected), rel=1e-14)
    normal = Schedule(kind, 4, 1.0, parameters, "harmonic").ratios()
    assert np.mean(1 / normal**2) == pytest.approx(1, rel=1e-12)
    event = GaussianEvent(schedule, HALF, 4)
    assert Ledger.from_json(json.dumps(Ledger("zero-out", (event,)).to_json())).events == (event,)


def test_ten_epochs_of_noise_decay_have_five_stages() -> None:
    """s0's rule: every max(1, 10 // 4) = 2 epochs."""
    schedule = Schedule("noise-decay", 10 * 7, 1.0, {"factor": 0.8, "every": 2, "steps_per_epoch": 7})
    assert len(np.unique(schedule.ratios())) == 5


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("linear", {"start": 0.0, "end": 1.0}, "start = 0.0: must be finite and > 0"),
        ("linear", {"start": 1.0}, "parameter 'end' is required"),
        ("exponential", {"start": 1.0, "end": -1.0}, "end = -1.0: must be finite and > 0"),
        ("exponential", {"start": 1.0, "end": math.inf}, "end = inf: must be finite"),
        ("step", {"factor": 0.5, "every": 1.5, "steps_per_epoch": 2}, "every = 1.5: must be a whole number"),
        (
            "step",
            {"factor": 0.5, "every": 1, "steps_per_epoch": 0},
            "steps_per_epoch = 0.0: must be finite and > 0",
        ),
        ("noise-decay", {"factor": 1.5, "every": 1, "steps_per_epoch": 1}, "must be > 0 and <= 1"),
    ],
)
def test_bad_schedules(kind: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(AccountingError, match=message):
        Schedule(kind, 4, 1.0, parameters)


def test_a_schedule_that_overflows_is_refused() -> None:
    schedule = Schedule("step", 2000, 1.0, {"factor": 10.0, "every": 1, "steps_per_epoch": 1})
    with pytest.raises(AccountingError, match="give no finite noise"):
        schedule.noise_multipliers()


@given(
    st.sampled_from(["linear", "exponential"]), st.floats(0.2, 5), st.floats(0.2, 5), st.floats(0.001, 0.9)
)
@settings(max_examples=20)
def test_schedules_cost_at_least_their_harmonic_constant(
    kind: str, start: float, end: float, rate: float
) -> None:
    """At integer orders the RDP is convex in 1 / multiplier^2 (Jensen)."""
    ratios = Schedule(kind, 40, 1.0, {"start": start, "end": end}, "harmonic").noise_multipliers()
    for order in (2.0, 5.0, 17.0):
        total = sum(float(rdp_poisson_gaussian(rate, s, order)[0]) for s in ratios)
        assert total >= 40 * float(rdp_poisson_gaussian(rate, 1.0, order)[0]) * (1 - 1e-11)
