"""G4 of s0's mechanisms: the target is kept, by a ledger that the test itself makes of what a run really does."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dpmechanism import CLASSES, make

from refdp.accounting import GaussianEvent, Ledger, Sampling, epsilon, epsilon_upper
from refdp.dpmechanism import Mechanism, NoiseMultiplierWarning, NoisePlan, WaterFillingMechanism
from refdp.errors import BudgetError

ROOM = 1 + 1e-9


def steps_run(m: Mechanism, dataset_size: int, batch_size: int, epochs: int) -> list[tuple[int, int]]:
    """(step, epoch) of every step that a harness gets released; it also tries a few more."""
    an_epoch = dataset_size // batch_size
    taken, record = [], [np.zeros((1, 1))]
    for step in range(epochs * an_epoch + 3):
        try:
            m.clip_and_noise(record, step, step // an_epoch)
        except BudgetError:
            continue
        taken.append((step, step // an_epoch))
    return taken


def check_budget(cls: type[Mechanism], **given: Any) -> None:
    """Epsilon of the steps released, at the noise declared for each, is at most the target; and not far below."""
    m = make(cls, **given)
    sizes = {
        name: given.get(name, was) for name, was in (("dataset_size", 47), ("batch_size", 8), ("epochs", 3))
    }
    taken = steps_run(m, **sizes)
    assert len(taken) == m.plan.steps == sizes["epochs"] * (sizes["dataset_size"] // sizes["batch_size"])
    target, delta = given.get("target_epsilon", 3.0), given.get("target_delta", 1e-3)
    if given.get("sampling", "shuffle") == "poisson":
        poisson = Sampling("poisson", rate=sizes["batch_size"] / sizes["dataset_size"])
        events = [GaussianEvent(m.get_effective_sigma(*at), poisson) for at in taken]
        got = epsilon_upper(Ledger("add-remove", tuple(events)), delta)
    else:  # a record may fall into the least noisy batch of every epoch, and is not sampled
        least = [
            min(m.get_effective_sigma(*at) for at in taken if at[1] == e) for e in range(sizes["epochs"])
        ]
        one = GaussianEvent(1 / math.hypot(*(1 / x for x in least)), Sampling("full-batch"))
        got = epsilon_upper(Ledger("add-remove", (one,)), delta)
    assert got <= target * ROOM, f"epsilon is {got}, promised {target}"
    assert m.noise_multiplier >= m.noise_multiplier_needed
    if m.noise_multiplier == m.noise_multiplier_needed > 1e-3:
        assert got > 0.9 * target or got == 0, f"epsilon is {got}, far below {target}"
    stated = m.epsilon()
    assert stated.upper is not None
    assert stated.lower is not None
    assert stated.lower <= stated.upper <= target * ROOM
    from_ledger = epsilon(m.ledger(), delta).upper
    assert from_ledger is not None
    assert stated.upper <= from_ledger * ROOM <= target * ROOM**2


RUNS = st.fixed_dictionaries(
    {
        "batch_size": st.integers(1, 40),
        "epochs": st.integers(1, 4),
        "target_epsilon": st.floats(0.1, 12),
        "target_delta": st.floats(1e-9, 1e-2),
        "noise_multiplier": st.sampled_from([0.0, 0.3, 5.0]),
    }
)


def _sized(run: dict[str, Any], batches: int, over: float) -> dict[str, Any]:
    return run | {"dataset_size": run["batch_size"] * batches + int(over * run["batch_size"])}


@given(run=RUNS, batches=st.integers(1, 12), over=st.floats(0, 0.99), cls=st.sampled_from(CLASSES))
def test_shuffled_runs_keep_the_target(
    run: dict[str, Any], batches: int, over: float, cls: type[Mechanism]
) -> None:
    check_budget(cls, **_sized(run, batches, over), sampling="shuffle")


@settings(max_examples=3)
@given(run=RUNS, batches=st.integers(2, 6), over=st.floats(0, 0.99), cls=st.sampled_from(CLASSES))
def test_poisson_runs_keep_the_target(
    run: dict[str, Any], batches: int, over: float, cls: type[Mechanism]
) -> None:
    check_budget(cls, **_sized(run, batches, over), sampling="poisson")


@pytest.mark.slow
@settings(max_examples=30)
@given(run=RUNS, batches=st.integers(1, 12), over=st.floats(0, 0.99), cls=st.sampled_from(CLASSES))
def test_many_poisson_runs_keep_the_target(
    run: dict[str, Any], batches: int, over: float, cls: type[Mechanism]
) -> None:
    check_budget(cls, **_sized(run, batches, over), sampling="poisson")


def check_multiplier_is_a_floor(**given: Any) -> None:
    """What the harness's own accountant says is taken only where it is enough."""
    needed = make(noise_multiplier=0.0, **given).noise_multiplier_needed
    for factor in (0.0, 0.07, 0.999999):
        m = make(noise_multiplier=factor * needed, **given)
        assert m.noise_multiplier == m.noise_multiplier_needed == needed, "too small a multiplier is trusted"
        assert m.noise_multiplier_given == factor * needed
    more = make(noise_multiplier=1.5 * needed, **given)
    assert more.noise_multiplier == 1.5 * needed
    assert (more.epsilon().upper or 0.0) < 3.0


@pytest.mark.parametrize("sampling", ["shuffle", "poisson"])
def test_the_noise_multiplier_given_is_a_floor(sampling: str) -> None:
    check_multiplier_is_a_floor(sampling=sampling)


def test_too_small_a_multiplier_is_warned_of_and_enough_is_not() -> None:
    sizes = (100, 60000, 256, 5, 3.0, 1e-5)
    with pytest.warns(
        NoiseMultiplierWarning, match=r"= 0\.2385: .* needs 3\.26546 over 1,170 steps \(shuffle\)"
    ):
        WaterFillingMechanism(1.0, 0.2385, *sizes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WaterFillingMechanism(1.0, 3.3, *sizes)


def test_s0s_steps() -> None:
    assert NoisePlan(60000, 256, 5, 0.25).steps == 1170
    assert NoisePlan(50000, 256, 30, 0.25).steps == 5850


@pytest.mark.parametrize("cls", CLASSES)
def test_amplitude(cls: type[Mechanism]) -> None:
    for epochs, amplitude in ((5, 0.125), (30, 0.25), (60, 0.25)):
        wanted = 0.25 if cls is WaterFillingMechanism else amplitude
        assert make(cls, epochs=epochs).plan.amplitude == pytest.approx(wanted, rel=1e-15)
