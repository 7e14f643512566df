"""A checkpoint that is damaged, or another run's, is refused in one line; a sound one is taken as it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import small_trainer

from refdp.accounting import AccountingError, epsilon_after, prefix
from refdp.backend import numpy_backend
from refdp.errors import RefDPError
from refdp.noise import add_gaussian_noise

OPTIONS: dict[str, Any] = {
    "clipping": "per-layer-quantile",
    "optimizer": "sgd:momentum=0.9,average=0.9",
    "lr_schedule": "plateau:every=2",
    "iterates": "average:memory=3",
    "steps": 8,
}


def state() -> dict[str, np.ndarray]:
    """After five steps of a run that remembers everything there is."""
    trainer = small_trainer(**OPTIONS)
    while trainer.step < 5:
        trainer.advance()
    return trainer.state()


def load(changed: dict[str, np.ndarray]) -> Any:
    trainer = small_trainer(**OPTIONS)
    trainer.load_state(changed)
    return trainer


def test_a_sound_one_is_taken() -> None:
    whole = state()
    again = load(whole).state()
    assert set(again) == set(whole)
    for name, value in whole.items():
        np.testing.assert_array_equal(again[name], value)


@pytest.mark.parametrize("name", sorted(state()))
@pytest.mark.parametrize(
    "change",
    [
        lambda value: np.full((3, 2), 1.0),
        lambda value: np.array("x" * value.size),
        lambda value: np.zeros(0),
        lambda value: value.astype(complex),
        lambda value: np.array([object()]),
        None,
    ],
)
def test_arrays_of_another_kind_or_shape_are_refused(name: str, change: Any) -> None:
    changed = state()
    if change is None:
        del changed[name]
    else:
        changed[name] = change(changed[name])
    with pytest.raises(RefDPError, match="checkpoint: ") as refused:
        load(changed)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("released/clip_norms", np.full(4, bad)) for bad in (math.nan, math.inf, -1.0, 0.0, 1e300)],
        *[("lr/factor", np.array(bad)) for bad in (math.nan, math.inf, -5.0, 1.5)],
        *[("step", np.array(bad)) for bad in (-1, 9)],
    ],
)
def test_values_out_of_range_are_refused(name: str, value: np.ndarray) -> None:
    changed = {**state(), name: value}
    if name == "step" and int(value) < 2:
        changed = {key: kept for key, kept in changed.items() if not key.startswith("past/")}
    with pytest.raises(RefDPError, match="checkpoint: "):
        load(changed)


def test_thresholds_outside_the_rule_s_own_range_are_refused() -> None:
    trainer = small_trainer(clipping="quantile:min_clip_norm=0.1,max_clip_norm=2", steps=4)
    sound = trainer.state()
    for bad in (0.09, 2.1):
        with pytest.raises(RefDPError, match="thresholds out of range"):
            trainer.load_state({**sound, "released/clip_norms": np.array([bad])})
    trainer.load_state({**sound, "released/clip_norms": np.array([0.1])})


def test_a_root_of_zeros_is_refused_where_nobody_chose_it() -> None:
    changed = {**state(), "root": np.zeros(32, dtype=np.uint8)}
    load(changed)  # seed 0
    trainer = small_trainer(**OPTIONS)
    trainer.streams = type(trainer.streams)(5, seed_is_known=False)
    with pytest.raises(RefDPError, match="no secret"):
        trainer.load_state(changed)


def test_a_prefix_of_a_ledger_that_does_not_know_the_order_is_refused() -> None:
    """The counts of a plateau are listed behind all steps: a prefix by counts would leave them out."""
    plan = small_trainer(lr_schedule="plateau:every=1,count_noise=3", steps=6).plan
    with pytest.raises(AccountingError, match="not when they were made"):
        epsilon_after(plan.ledger(), 1e-5, [3])
    assert prefix(plan.ledger(), 12) == plan.ledger()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("noise_multiplier", "bound"), [(1e-16, 1e-30), (0.1, 1e-44), (1.3, 0.7), (1e5, 1e30)]
)
def test_noise_is_scaled_in_float64(noise_multiplier: float, bound: float, dtype: Any) -> None:
    """In float32 it would vanish, or overflow, at multipliers and bounds that are allowed."""
    seed = np.random.SeedSequence(3)
    backend = numpy_backend()
    noise = add_gaussian_noise(backend, np.zeros(2000), noise_multiplier, bound, seed, dtype)
    assert noise.dtype == np.float64
    std = noise_multiplier * bound
    np.testing.assert_allclose(noise / std, backend.normal(seed, 2000, dtype), rtol=1e-15)
