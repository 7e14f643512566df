"""Each statistic: what it counts, against plain loops; and what is refuted by no other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import sampling_subjects as subjects
from scipy.stats import binom, hypergeom

from refdp.audit.sampling import Batches, verdict
from refdp.audit.sampling.evidence import Evidence, log_mean
from refdp.audit.sampling.order import _overlaps, _thinned
from refdp.audit.sampling.places import STRIDES, neighbours
from refdp.audit.sampling.repeats import in_window
from refdp.audit.sampling.sizes import sizes
from refdp.audit.sampling.structure import epochs, period
from refdp.audit.sampling.verdict import SUBSETS, against
from refdp.audit.sampling.weights import weights

BAR = math.log(100)


@pytest.fixture
def run() -> Batches:
    return subjects.played(subjects.poisson, 37, 6, 40, 5)


def rows(batches: Batches) -> list[set[int]]:
    return [
        set(batches.indices[a:b].tolist()) for a, b in zip(batches.offsets, batches.offsets[1:], strict=False)
    ]


def test_when_each_record_was_drawn_before(run: Batches) -> None:
    steps, drawn = run.steps, rows(run)
    for k, (t, i) in enumerate(zip(run.step.tolist(), run.indices.tolist(), strict=True)):
        past = [s for s in range(t) if i in drawn[s]]
        later = [s for s in range(t + 1, steps) if i in drawn[s]]
        assert run.before[k] == len(past)
        assert run.gap[k] == (t - past[-1] if past else steps + 1)
        assert run.next_gap[k] == (later[0] - t if later else steps + 1)


@pytest.mark.parametrize("window", [1, 2, 4, 8, 32])
def test_hits_among_the_last_batches(run: Batches, window: int) -> None:
    drawn = rows(run)
    hits, union = in_window(run, window)
    for t in range(run.steps):
        last = set().union(*drawn[max(0, t - window) : t])
        assert (hits[t], union[t]) == (len(drawn[t] & last), len(last))


@pytest.mark.parametrize("stride", STRIDES)
def test_neighbours(run: Batches, stride: int) -> None:
    if stride >= run.dataset_size:
        stride = 36
    wanted = []
    order = sorted(range(37), key=lambda i: (i % stride, i))
    for batch in rows(run):
        wanted.append(sum(a in batch and b in batch for a, b in itertools.pairwise(order)))
    assert neighbours(run, stride).tolist() == wanted


def test_overlaps(run: Batches) -> None:
    drawn, thin = rows(run), _thinned(run)
    assert thin is not None
    for p, common in enumerate(_overlaps(thin), start=1):
        assert common == sum(len(drawn[t] & drawn[t - p]) for t in range(p, run.steps))


def test_the_number_of_neighbours_is_hypergeometric() -> None:
    """The law that ``places`` rests on, over all 126 subsets of 4 of 9."""
    from itertools import combinations

    every = [sum(i + 1 in each for i in each) for each in combinations(range(9), 4)]
    law = np.bincount(every, minlength=4) / len(every)
    assert law == pytest.approx(hypergeom(9, 3, 4).pmf(np.arange(4)), rel=1e-12)


def test_sizes_by_hand() -> None:
    """One bet, written out: the rate of all before against the best rate."""
    run = Batches.of([[0, 1], [2], [0, 3, 4]], 10)
    rate = [2.5 / 11, 3.5 / 21]
    log_e = math.log(1 / 11) + binom.logpmf(1, 10, rate[0]) + binom.logpmf(3, 10, rate[1])
    log_e -= sum(binom.logpmf(k, 10, 0.2) for k in (2, 1, 3))
    assert sizes(run).bets["rate"] == pytest.approx(log_e, rel=1e-10)


def test_weights_by_hand() -> None:
    run = Batches.of([[0, 1], [0], [2, 3]], 4)
    tilt, total = -0.3, 0.0
    for batch, counts in (([0], [1, 1, 0, 0]), ([2, 3], [2, 1, 0, 0])):
        f = (np.array(counts) - np.mean(counts)) / np.std(counts)
        total += tilt * f[batch].sum() - len(batch) * math.log(np.exp(tilt * f).mean())
    assert weights(run).bets["records take turns (tilt 0.3)"] == pytest.approx(total, rel=1e-10)


def test_an_e_value_is_the_mean() -> None:
    assert log_mean([math.log(2), math.log(4)]) == pytest.approx(math.log(3))
    assert log_mean([math.inf, 0.0]) == math.inf
    assert Evidence("nothing").log_e == 0
    parts = Evidence("two", {"more a": math.log(2), "fewer b": math.log(4)})
    assert parts.part("more") == pytest.approx(0)
    assert parts.part("less") == -math.inf


def uniform(records: int, rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.choice(records, size, replace=False)


def recurring(records: int, size: int, rng: np.random.Generator) -> subjects.Draws:
    """Each batch has a record of the one 40 steps before."""
    past: list[np.ndarray] = []
    while True:
        fresh = uniform(records, rng, rng.binomial(records, size / records))
        if len(past) >= 40:
            again = past[-40][:1]
            fresh = np.concatenate([again, np.setdiff1d(fresh, again)])[: len(fresh)]
        past.append(rng.permutation(fresh))
        yield fresh


def pairs(records: int, size: int, rng: np.random.Generator) -> subjects.Draws:
    """Some records bring their neighbours along."""
    while True:
        batch = uniform(records, rng, rng.binomial(records, size / records))
        batch[1:6] = batch[0] // 8 * 8 + np.arange(1, 6)
        yield np.unique(batch)


def favoured(records: int, size: int, rng: np.random.Generator) -> subjects.Draws:
    """Half of the records join a little more often, the other half a little less."""
    rate = size / records * np.where(rng.random(records) < 0.5, 1.22, 0.78)
    while True:
        yield np.flatnonzero(rng.random(records) < rate)


def apart(records: int, size: int, rng: np.random.Generator) -> subjects.Draws:
    """Records of the step before never join."""
    return subjects.minimum_separation(records, size, rng, 2)


ONLY: dict[str, Callable[..., subjects.Draws]] = {
    "repeats": apart,
    "order": recurring,
    "places": pairs,
    "weights": favoured,
}


@pytest.mark.parametrize("name", ONLY)
def test_what_is_told_by_one_statistic(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuted with it, and not without it: a statistic that is switched off, or bets the wrong way, is missed."""
    run = subjects.played(ONLY[name], 1000, 40, 250, 2)
    log_e = {each.name: each.log_e for each in against(run, "poisson", None)}
    assert log_e[name] > BAR + math.log(5)
    assert log_mean(list(log_e.values())) >= BAR
    without = tuple(test for test in SUBSETS if test.__name__ != name)
    assert len(without) == len(SUBSETS) - 1
    monkeypatch.setattr(verdict, "SUBSETS", without)
    assert log_mean([each.log_e for each in against(run, "poisson", None)]) < BAR


def test_what_is_told_by_sizes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    run = subjects.recorded("without-replacement", 1000, 40, 250, 2)
    assert log_mean([each.log_e for each in against(run, "poisson", None)]) >= BAR
    assert log_mean([test(run).log_e for test in SUBSETS]) < BAR


def test_turns_are_told_by_weights_from_the_second_epoch_on() -> None:
    run = subjects.recorded("shuffle", 1000, 40, 60, 2)
    found = weights(run)
    assert found.part("records take turns") > 100
    assert found.part("records are favoured") < 0


def test_structure() -> None:
    order = np.random.default_rng(0).permutation(20)
    cut = [order[k : k + 6] for k in range(0, 20, 6)]
    fixed = Batches.of(cut * 3, 20)
    found = epochs(fixed)
    assert found is not None
    assert (found.length, found.start, found.whole, found.partition, found.same_batches) == (
        4,
        0,
        3,
        True,
        True,
    )
    assert period(fixed, 6) == 4
    late = epochs(fixed.take(np.arange(3, 12)))
    assert late is not None
    assert (late.start, late.equal) == (1, True)
    broken = Batches.of([cut[0], cut[0], *cut, *cut], 20)
    assert epochs(broken) is None
    assert period(broken, 4) is None
