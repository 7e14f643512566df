"""The sampler test at 1 %: five samplers told apart from recorded runs of 2,000 steps, and others named."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest
import sampling_subjects as subjects

from refdp.audit.sampling import Batches, examine

STEPS = 2000
OURS = ("poisson", "shuffle", "without-replacement", "fixed-order")
FIVE = (*OURS, "balls-and-bins")
SIZES = [(2000, 50), (60_000, 256)]


def run_of(name: str, records: int, size: int, seed: int, steps: int = STEPS) -> Batches:
    if name in OURS:
        return subjects.recorded(name, records, size, steps, seed)
    return subjects.played(subjects.balls_and_bins, records, size, steps, seed)


def told(name: str, records: int, size: int, seed: int) -> bool:
    found = examine(run_of(name, records, size, seed))
    if name == "poisson":
        return found.verdict == "consistent" and found.sampler == "poisson"
    wanted = "negatively-dependent" if name == "balls-and-bins" else name
    return found.verdict == "refuted" and found.sampler == wanted


@pytest.mark.parametrize(("records", "size"), SIZES)
@pytest.mark.parametrize("name", FIVE)
def test_each_of_five_samplers_is_told(name: str, records: int, size: int) -> None:
    runs = 3 if records == 2000 else 1
    assert all(told(name, records, size, seed) for seed in range(runs))


@pytest.mark.slow
@pytest.mark.parametrize(("records", "size"), SIZES)
@pytest.mark.parametrize("name", FIVE)
def test_each_of_five_samplers_is_told_100_times_of_100(name: str, records: int, size: int) -> None:
    began = time.perf_counter()
    right = sum(told(name, records, size, 1000 + seed) for seed in range(100))
    print(f"{name} {records}: {right} of 100 in {time.perf_counter() - began:.0f} s")
    assert right == 100


@pytest.mark.parametrize("steps", [300, 600])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (subjects.minimum_separation, "negatively-dependent"),
        (subjects.cyclic_poisson, "negatively-dependent"),
        (subjects.dropped_last, "shuffle"),
        (subjects.shuffled_once, "fixed-order"),
        (subjects.shuffled_groups, "fixed-batches"),
        (subjects.endless_order, "fixed-order"),
        (subjects.with_replacement, "with-replacement"),
        (subjects.capped, "other-sizes"),
        (subjects.never_empty, "other-sizes"),
        (subjects.overdispersed, "other-sizes"),
        (subjects.of_a_subset, "uneven"),
        (subjects.weighted, "uneven"),
        (subjects.consecutive, "other"),
        (subjects.reused, "other"),
    ],
)
def test_others_are_named(make: Callable[..., subjects.Draws], name: str, steps: int) -> None:
    """b = 48 does not divide N = 2,000."""
    found = examine(subjects.played(make, 2000, 48, steps, 3))
    assert (found.verdict, found.sampler) == ("refuted", name)
    assert found.why


def test_another_rate_is_named_where_a_rate_is_claimed() -> None:
    run = run_of("poisson", 2000, 50, 4, 300)
    assert examine(run, sample_rate=0.025).verdict == "consistent"
    found = examine(run, sample_rate=0.03)
    assert (found.verdict, found.sampler) == ("refuted", "other-rate")
    assert "0.025" in found.why[0] or "0.024" in found.why[0]


def test_a_run_that_starts_within_an_epoch() -> None:
    run = run_of("shuffle", 2000, 48, 4, 300)
    cut = run.take(range(17, 300))
    assert examine(cut).sampler == "shuffle"
    assert examine(cut, "shuffle").verdict == "consistent"
    short = run.take(range(30, 75))  # no whole epoch, but its end and the next one's beginning
    assert examine(short, "shuffle").verdict == "consistent"


@pytest.mark.parametrize("claimed", OURS)
@pytest.mark.parametrize("really", OURS)
@pytest.mark.parametrize("size", [48, 50])
def test_every_claim_against_every_sampler(claimed: str, really: str, size: int) -> None:
    found = examine(run_of(really, 2000, size, 7, 200), claimed)
    counts = Counter([found.verdict])
    assert counts["consistent" if claimed == really else "refuted"] == 1


def test_what_negative_dependence_is_said_to_be() -> None:
    found = examine(subjects.played(subjects.minimum_separation, 2000, 50, 400, 1))
    assert found.why[0] == "no record came back in fewer than 10 steps"
    assert "would by independent coins" in found.why[1]


def test_power_is_stated_and_is_true() -> None:
    long = examine(run_of("poisson", 2000, 50, 1, 200))
    needed = {power.sampler: power.steps_needed for power in long.power}
    assert set(needed) >= {"shuffle", "fixed-order", "without-replacement", "balls-and-bins"}
    for name in ("shuffle", "without-replacement", "balls-and-bins"):
        steps = needed[name]
        assert steps is not None
        assert 3 <= steps < 40
        runs = [examine(run_of(name, 2000, 50, seed, 2 * steps)).verdict for seed in range(5)]
        assert runs.count("refuted") == 5
        assert examine(run_of(name, 2000, 50, 5, 2)).verdict == "consistent"
    short = examine(run_of("poisson", 2000, 50, 1, 2))
    assert all(power.steps_needed is None or power.steps_needed > 2 for power in short.power)
