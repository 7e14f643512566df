"""s0's mechanisms: what they refuse, in one line each, and what a harness may do."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
from test_dpmechanism import SIZE, STEPS, make, release, tensors

from refdp.errors import BudgetError, RefDPError


def test_the_seed_repeats_the_noise_and_entropy_does_not() -> None:
    rows = np.zeros((1, SIZE))
    assert np.array_equal(release(make(seed=3), rows), release(make(seed=3), rows))
    assert not np.array_equal(release(make(), rows), release(make(), rows))


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_is_refused(way: Any) -> None:
    with pytest.raises(RefDPError, match="must not be copied"):
        way(make())


def test_steps_may_be_passed_by_and_epochs_must_be_theirs() -> None:
    rows = tensors(np.zeros((1, SIZE)))
    m = make()
    with pytest.raises(BudgetError, match=r"epoch = 0: step 5 belongs to epoch 1 of 5 steps"):
        m.clip_and_noise(rows, 5, 0)
    with pytest.raises(RefDPError, match="per_sample_grads"):
        m.clip_and_noise([np.zeros((1, 2), int)], 5, 1)
    m.clip_and_noise(rows, 5, 1)  # neither refusal spent the step
    with pytest.raises(BudgetError, match="step 5 is released already"):
        m.clip_and_noise(rows, 3, 0)
    make(sampling="poisson").clip_and_noise(rows, 5, 0)


def test_after_the_run_the_last_multiplier_is_told() -> None:
    m = make()
    assert m.get_effective_sigma(STEPS, 3) == m.get_effective_sigma(STEPS - 1, 2)


REFUSED = [
    ({"max_grad_norm": 0.0}, "max_grad_norm = 0.0: must be in"),
    ({"noise_multiplier": math.nan}, "noise_multiplier = nan: must be in"),
    ({"noise_multiplier": -1}, "noise_multiplier = -1: must be in"),
    ({"n_params": 1.5}, "n_params = 1.5: must be a whole number"),
    ({"batch_size": 48}, "batch_size = 48: must not exceed dataset_size = 47"),
    ({"epochs": 0}, "epochs = 0: must be a whole number >= 1"),
    ({"epochs": 10**6}, "epochs = 1000000: 5,000,000 steps"),
    ({"target_epsilon": 0}, "target_epsilon = 0"),
    ({"target_delta": 1.0}, "delta = 1.0"),
    ({"sampling": "bernoulli"}, "sampling = 'bernoulli': must be one of shuffle, poisson"),
    ({"seed": -1}, "seed = -1"),
]


@pytest.mark.parametrize(("changed", "text"), REFUSED)
def test_a_bad_argument_is_refused_in_one_line(changed: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text) as error:
        make(**changed)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("grads", "text"),
    [
        ([], "must hold one array"),
        ([[1.0]], "list: must be a numpy array"),
        ([np.zeros(())], "float64, 0 axes: must be"),
        ([np.zeros((2, 3), np.float16)], "float16, 2 axes: must be"),
        ([np.zeros((2, 3)), np.zeros((1, 3))], r"per_sample_grads\[1\] = 1 records"),
    ],
)
def test_bad_gradients_are_refused_in_one_line(grads: list[Any], text: str) -> None:
    with pytest.raises(RefDPError, match=text) as error:
        make().clip_and_noise(grads, 0, 0)
    assert "\n" not in str(error.value)
