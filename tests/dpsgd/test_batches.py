"""A batch shared by worker processes: what each is told is enough, and the sum is the same but for rounding."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import record_checks
from helpers import small_trainer
from strict_backend import strict_backend

import refdp.batches as batches
from refdp.engine import Trainer
from refdp.errors import RefDPError
from refdp.models.network import Network

CHOICES: list[dict[str, Any]] = [
    {},
    {"per_sample": "explicit"},
    {"clipping": "quantile"},
    {"clipping": "per-layer-quantile", "per_sample": "ghost"},
    {"clipping": "dynamic"},
    {"iterates": "average:memory=3,decay=0.5"},
    {"private": False},
    {"optimizer": "sgd:momentum=0.9,average=0.9"},
]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_SMALLEST_PART", 1)


@pytest.fixture
def made() -> Iterator[list[Trainer]]:
    """Trainers whose processes end with the test."""
    trainers: list[Trainer] = []
    yield trainers
    for trainer in trainers:
        trainer.close()


def several(made: list[Trainer], workers: int = 3, **options: Any) -> Trainer:
    made.append(small_trainer(workers=workers, chunk=2, **options))
    return made[-1]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_same_run_but_for_rounding(choice: dict[str, Any], made: list[Trainer]) -> None:
    alone, shared = small_trainer(chunk=2, **choice), several(made, **choice)
    alone.watch_private = shared.watch_private = True
    for _ in range(6):
        alone.advance()
        shared.advance()
        np.testing.assert_allclose(shared.theta, alone.theta, rtol=1e-11, atol=1e-13)
        assert shared.accuracy() == alone.accuracy()
        assert shared.hits(shared.data.train) == alone.hits(alone.data.train)
    np.testing.assert_allclose(shared.private_losses, alone.private_losses, rtol=1e-12)
    for name, values in alone.released.items():
        np.testing.assert_allclose(shared.released[name], values, rtol=1e-12)
    assert shared._processes is not None
    assert shared._processes.alive == 3


def test_views_are_the_same_in_every_process(made: list[Trainer]) -> None:
    alone, shared = (record_checks.trainer("shift:views=3,pixels=1", chunk=2, workers=n) for n in (1, 3))
    made.append(shared)
    for _ in range(4):
        alone.advance()
        shared.advance()
    np.testing.assert_allclose(shared.theta, alone.theta, rtol=1e-11, atol=1e-13)


def test_it_repeats_to_the_bit(made: list[Trainer]) -> None:
    runs = [several(made, dtype=np.float32) for _ in range(2)]
    for run in runs:
        for _ in range(5):
            run.advance()
    np.testing.assert_array_equal(runs[0].theta, runs[1].theta)


def test_a_run_goes_on_with_the_same_bits_when_workers_die(made: list[Trainer]) -> None:
    whole, broken = several(made), several(made)
    for step in range(6):
        if step == 2:
            assert broken._processes is not None
            for child in list(broken._processes._children.values()):
                os.kill(child.pid, signal.SIGKILL)
        if step == 4:
            broken.close()
        whole.advance()
        broken.advance()
    np.testing.assert_array_equal(whole.theta, broken.theta)


def test_a_resumed_run_has_the_same_bits(made: list[Trainer]) -> None:
    one, other = several(made, clipping="quantile"), several(made, clipping="quantile")
    for _ in range(3):
        one.advance()
    other.load_state(one.state())
    for _ in range(3):
        one.advance()
        other.advance()
    np.testing.assert_array_equal(one.theta, other.theta)


def test_a_state_of_another_run_can_be_loaded_at_any_time(made: list[Trainer]) -> None:
    """Views are drawn from the loaded state's streams in every process, also where some were drawn before."""
    options: dict[str, Any] = {"chunk": 2, "workers": 3}
    first, second, fresh = (record_checks.trainer("shift:views=3,pixels=1", **options) for _ in range(3))
    made += [first, second, fresh]
    second.streams = type(second.streams).from_seed(8)
    for run in (first, second):
        run.summed(np.arange(9))
    state = first.state()
    for run in (second, fresh):
        run.load_state(state)
        run.advance()
    first.advance()
    np.testing.assert_array_equal(second.theta, fresh.theta)
    np.testing.assert_array_equal(second.theta, first.theta)


def test_losses_can_be_watched_at_any_time(made: list[Trainer]) -> None:
    alone, shared = small_trainer(chunk=2), several(made)
    shared.summed(np.arange(9))
    for run in (alone, shared):
        run.watch_private = True
        run.summed(np.arange(12))
    np.testing.assert_allclose(shared.private_losses, alone.private_losses, rtol=1e-12)


def test_a_device_has_no_workers() -> None:
    with pytest.raises(RefDPError, match="workers = 2: a device computes whole batches"):
        small_trainer(workers=2, backend=strict_backend())


def test_other_records_than_the_data_sets_are_counted_here(made: list[Trainer]) -> None:
    run = several(made)
    split = run.data.test
    other = type(split)(split.x[:7].copy(), split.y[:7].copy())
    assert run.hits(other) == small_trainer().hits(other)


def test_an_error_in_a_part_is_raised(made: list[Trainer], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no gradients today")

    monkeypatch.setattr(Network, "held_gradients", fail)
    with pytest.raises(ValueError, match="no gradients today"):
        several(made).summed_gradient(np.arange(12))


def test_small_batches_are_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_SMALLEST_PART", 2**18)
    run = small_trainer(workers=3)
    run.advance()
    assert run._processes is None


@pytest.mark.parametrize("records", [0, 1, 2, 3])
def test_batches_of_few_or_none(records: int, made: list[Trainer]) -> None:
    run = several(made)
    some = np.arange(records)
    np.testing.assert_allclose(run.summed_gradient(some), small_trainer().summed_gradient(some), rtol=1e-12)
