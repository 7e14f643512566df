"""Samplers draw what their ledger events say, and nothing luckier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from refdp.accounting import Ledger, Schedule, epsilon
from refdp.errors import RefDPError
from refdp.rng import Streams
from refdp.samplers import samplers

STREAMS = Streams.from_seed(5)


def make(name: str, n: int = 40, b: int = 10):  # type: ignore[no-untyped-def]
    return samplers.create(name, dataset_size=n, batch_size=b)


def test_names() -> None:
    assert samplers.names() == ("fixed-order", "poisson", "shuffle", "without-replacement")


def test_poisson_batches_are_independent_draws() -> None:
    sampler = make("poisson", 40, 4)
    member = np.zeros((3000, 40), dtype=int)
    for t in range(3000):
        member[t, sampler.batch(t, STREAMS).indices] = 1
    sizes = member.sum(axis=1)
    expected = stats.binom.pmf(np.arange(12), 40, 0.1) * 3000
    seen = np.bincount(sizes, minlength=40)[:12]
    keep = expected > 5
    assert stats.chisquare(seen[keep], expected[keep] * seen[keep].sum() / expected[keep].sum()).pvalue > 1e-3
    assert stats.chisquare(member.sum(axis=0)).pvalue > 1e-3
    pairs = np.corrcoef(member.T)[np.triu_indices(40, 1)]
    assert np.abs(pairs).max() < 5 / np.sqrt(3000)  # no negative dependence, as a fixed batch size would give
    assert np.abs(np.corrcoef(member[1:, 0], member[:-1, 0])[0, 1]) < 5 / np.sqrt(3000)
    assert {sampler.batch(t, STREAMS).divisor for t in range(50)} == {4.0}


def test_poisson_at_rate_one_takes_everybody() -> None:
    np.testing.assert_array_equal(make("poisson", 7, 7).batch(0, STREAMS).indices, np.arange(7))


def test_poisson_never_draws_above_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A uniform value u = k 2^-53 is accepted for exactly floor(q 2^53) values of k."""
    sampler = make("poisson", 3, 1)  # q = 1/3, not a multiple of 2^-53
    edge = np.floor((1 / 3) * 2.0**53) * 2.0**-53

    class Fixed:
        def random(self, size: int) -> np.ndarray:
            return np.array([edge - 2.0**-53, edge, 0.0])

    monkeypatch.setattr(Streams, "sampling", lambda self, step: Fixed())
    np.testing.assert_array_equal(sampler.batch(0, STREAMS).indices, [0, 2])


@given(n=st.integers(1, 60), b=st.integers(1, 60), name=st.sampled_from(["shuffle", "fixed-order"]))
def test_epochwise_samplers_use_each_record_once_an_epoch(n: int, b: int, name: str) -> None:
    b = min(b, n)
    sampler = make(name, n, b)
    per_epoch = sampler.steps(1)
    for epoch in range(2):
        batches = [sampler.batch(epoch * per_epoch + k, STREAMS) for k in range(per_epoch)]
        np.testing.assert_array_equal(np.sort(np.concatenate([x.indices for x in batches])), np.arange(n))
        assert [x.divisor for x in batches] == [float(len(x.indices)) for x in batches]


def test_shuffle_reshuffles_and_fixed_order_does_not() -> None:
    shuffle, fixed = make("shuffle"), make("fixed-order")
    assert not np.array_equal(shuffle.batch(0, STREAMS).indices, shuffle.batch(4, STREAMS).indices)
    np.testing.assert_array_equal(fixed.batch(1, STREAMS).indices, fixed.batch(5, STREAMS).indices)
    later = shuffle.batch(5, STREAMS).indices
    shuffle.batch(0, STREAMS)
    np.testing.assert_array_equal(later, shuffle.batch(5, STREAMS).indices)


def test_steps() -> None:
    assert make("poisson", 400, 64).steps(20) == 125
    assert make("fixed-order", 400, 64).steps(20) == 140


@pytest.mark.parametrize("name", samplers.names())
@pytest.mark.parametrize(("n", "b"), [(10, 11), (0, 1), (10, 0), (10, -1), (10, 2.5), (True, 1)])
def test_impossible_sizes_are_refused(name: str, n: int, b: int) -> None:
    with pytest.raises(RefDPError):
        make(name, n, b)


def test_only_poisson_is_amplified() -> None:
    schedule = Schedule("constant", 40, 2.0)
    eps = {}
    for name in samplers.names():
        sampler = make(name)
        ledger = Ledger(sampler.default_neighboring, sampler.events(schedule, 40))
        eps[name] = epsilon(ledger, 1e-5).upper
    ten_gaussians = epsilon(Ledger("add-remove", make("poisson", 10, 10).events(schedule, 10)), 1e-5).upper
    assert eps["poisson"] < eps["shuffle"] == eps["fixed-order"] == pytest.approx(ten_gaussians, rel=1e-9)


@pytest.mark.parametrize("name", ["shuffle", "fixed-order"])
def test_a_started_epoch_is_charged(name: str) -> None:
    (event,) = make(name).events(Schedule("constant", 40, 2.0), 5)  # 4 steps an epoch
    assert event.sampling.epochs == 2
    assert make(name).events(Schedule("constant", 40, 2.0), 8)[0].sampling.epochs == 2


def test_two_roots_never_share_a_permutation() -> None:
    sampler = make("shuffle")
    one = sampler.batch(0, Streams.from_seed(1)).indices
    assert not np.array_equal(one, sampler.batch(0, Streams.from_seed(2)).indices)


def test_a_schedule_is_charged_to_the_worst_placed_record() -> None:
    schedule = Schedule("cosine", 8, 1.0, {"amplitude": 0.5})  # 2 epochs of 4 steps, noise falling
    noise = schedule.noise_multipliers().reshape(2, 4)
    fixed = make("fixed-order").events(schedule, 8)
    assert [event.noise for event in fixed] == list(noise[:, 3])
    shuffled = make("shuffle").events(schedule, 8)
    assert [event.noise for event in shuffled] == list(noise.min(axis=1))
    started = make("fixed-order").events(schedule, 5)  # only position 0 met two steps
    total = sum(1 / event.noise**2 for event in started)
    assert total == pytest.approx(max(1 / noise[0, 3] ** 2, 1 / noise[0, 0] ** 2 + 1 / noise[1, 0] ** 2))
