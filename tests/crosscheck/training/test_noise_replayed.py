"""Noise drawn again from its recorded seed (G2): it agrees only where the seed gives it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from noise_steps import CNN, SMALL, Noise, sound, step_of, views

from refdp.crosscheck.training.noise import again
from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage
from refdp.crosscheck.training.stages import noise
from refdp.crosscheck.training.view import StepView
from refdp.replay.step_noise import TorchSteps, jax_step
from refdp.replay.torch_generator import TorchGenerator
from refdp.traces import Trace, TracedStep, read, write

RNG = np.random.default_rng(6)
START = RNG.bit_generator.state
SHAPES = {"w2": (5, 7), "w1": (3, 2, 4, 6), "b1": (3,), "b2": (17,)}


@pytest.fixture(autouse=True)
def the_same_draws_in_any_order_of_tests() -> None:
    RNG.bit_generator.state = START


def torch_step(seed: int, step: int, shapes: dict[str, tuple[int, ...]] = SHAPES) -> TracedStep:
    drawn = TorchSteps(seed, list(shapes.values())).at(step)
    return recorded(dict(zip(shapes, drawn, strict=True)), "torch-cpu", seed, step)


def recorded(z: Noise, generator: str, seed: int, step: int) -> TracedStep:
    one = {name: values[None] for name, values in z.items()}
    return step_of(one, RNG, generator=generator, seed=seed, step=step)


def jax_native(seed: int, step: int, names: Sequence[str]) -> TracedStep:
    """Drawn in JAX's layouts, recorded in PyTorch's."""
    shapes = {"w2": (7, 5), "w1": (4, 6, 2, 3), "b1": (3,), "b2": (17,)}
    drawn = dict(zip(names, jax_step(seed, [shapes[name] for name in names], step), strict=True))
    z = drawn | {"w2": drawn["w2"].T, "w1": drawn["w1"].transpose(3, 2, 0, 1)}
    return recorded({name: z[name] for name in SHAPES}, "jax-threefry", seed, step)


def jax_plain(seed: int, step: int, names: Sequence[str]) -> TracedStep:
    drawn = dict(zip(names, jax_step(seed, [SHAPES[name] for name in names], step), strict=True))
    return recorded({name: drawn[name] for name in SHAPES}, "jax-threefry", seed, step)


def judged(step: TracedStep) -> Stage:
    return noise.judge(StepView(step), 1e-5)


@pytest.mark.parametrize("step", [0, 1, 9])
@pytest.mark.parametrize(
    ("make", "how"),
    [
        (lambda k: torch_step(41, k), "in the order recorded"),
        (lambda k: jax_plain(41, k, list(SHAPES)), "in the order recorded, weights as recorded"),
        (lambda k: jax_plain(41, k, sorted(SHAPES)), "by name, weights as recorded"),
        (lambda k: jax_native(41, k, list(SHAPES)), "in the order recorded, weights in JAX's layouts"),
        (lambda k: jax_native(41, k, sorted(SHAPES)), "by name, weights in JAX's layouts"),
    ],
)
def test_what_the_seed_gives_agrees(make: object, how: str, step: int) -> None:
    stage = judged(make(step))  # type: ignore[operator]
    assert stage.status == AGREES
    assert stage.figures["replayed"] is True
    assert stage.figures["how"].endswith(how)
    assert {d.name for d in stage.differences} == set(SHAPES)
    assert stage.relative < 1e-6


def test_a_trace_that_was_written_keeps_its_order(tmp_path: Path) -> None:
    steps = tuple(torch_step(12, k) for k in range(3))
    write(Trace(steps), tmp_path / "trace.npz")
    for step in read(tmp_path / "trace.npz").steps:
        assert judged(step).figures["replay_matches"] is True


def one_entry(step: TracedStep) -> TracedStep:
    """Off by 6e-6 standard deviations, where the sum is small and so is its rounding."""
    step.clipped_sum["w1"][0, 0, 0, 0] = 0.01
    drawn = TorchSteps(41, list(SHAPES.values())).at(2)[1][0, 0, 0, 0]
    step.noised_sum["w1"][0, 0, 0, 0, 0] = np.float32(0.01) + np.float32(0.55) * (drawn + np.float32(6e-6))
    return step


def sorted_by_name(step: TracedStep) -> TracedStep:
    return dataclasses.replace(step, noised_sum=dict(sorted(step.noised_sum.items())))


def drawn_between(step: int) -> TracedStep:
    generator = TorchGenerator(41)
    for _ in range(step + 1):
        generator.data_loader()
        z = {name: generator.normal(int(np.prod(shape))).reshape(shape) for name, shape in SHAPES.items()}
    return recorded(z, "torch-cpu", 41, step)


FAULTS = {
    "another seed": lambda: dataclasses.replace(torch_step(41, 2), seed=42),
    "another step": lambda: dataclasses.replace(torch_step(41, 2), step=3),
    "another generator": lambda: dataclasses.replace(torch_step(41, 2), generator="jax-threefry"),
    "another order": lambda: sorted_by_name(torch_step(41, 2)),
    "one entry": lambda: one_entry(torch_step(41, 2)),
    "other draws between": lambda: drawn_between(2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_the_seed_does_not_give_differs_though_it_is_normal(fault: str) -> None:
    stage = judged(FAULTS[fault]())
    assert (stage.status, stage.figures["failed"]) == (DIFFERS, [])
    (cause,) = stage.causes
    assert (cause.id, cause.safe) == ("noise-not-replayed", None)
    assert "not what seed" in cause.text


def test_statistics_speak_first_where_they_fail_too() -> None:
    step = dataclasses.replace(torch_step(41, 2, CNN), noise_multiplier=2.2)
    stage = judged(step)
    assert stage.status == DIFFERS
    assert "scale" in stage.figures["failed"]
    assert stage.causes == ()


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        ({"seed": None}, "generator or seed was not recorded"),
        ({"generator": None}, "generator or seed was not recorded"),
        ({"step": None}, "number of the step"),
        ({"generator": "philox"}, "generator 'philox' is none of torch-cpu, jax-threefry"),
        ({"generator": "jax-threefry", "seed": 2**32}, r"seed = 4294967296: must be < 2^32"),
        ({"step": 10**9}, "too many to pass over"),
    ],
)
def test_what_cannot_be_drawn_again_is_tested_all_the_same(left_out: dict[str, object], why: str) -> None:
    stage = judged(dataclasses.replace(torch_step(41, 2), **left_out))  # type: ignore[arg-type]
    assert (stage.status, stage.figures["replayed"]) == (AGREES, False)
    assert why in stage.figures["not_replayed"]


def test_many_draws_are_not_replayed() -> None:
    stage = judged(step_of(sound(RNG, SMALL, 3), RNG, generator="torch-cpu", seed=1))
    assert "3 draws of one step" in stage.figures["not_replayed"]


def test_a_match_that_rounding_would_hide_is_no_agreement() -> None:
    z = dict(zip(SHAPES, TorchSteps(41, list(SHAPES.values())).at(0), strict=True))
    one = {name: values[None] for name, values in z.items()}
    quiet = {"generator": "torch-cpu", "seed": 41, "step": 0, "noise_multiplier": 1e-8, "clip_norm": 1.0}
    assert judged(step_of(one, RNG, **quiet)).status == MISSING


def from_gradients(off: float) -> TracedStep:
    """Noise of seed 41 on a sum of 64 equal gradients of norm 0.5, which was taken a fraction ``off`` too large."""
    step = torch_step(41, 2)
    rng = np.random.default_rng(1)
    row = {name: rng.choice([-1.0, 1.0], size=shape) for name, shape in SHAPES.items()}
    length = np.sqrt(sum(np.square(values).sum() for values in row.values()))
    total = {name: 64 * 0.5 / length * values for name, values in row.items()}
    noised = {
        name: (values.astype(np.float64) - step.clipped_sum[name] + (1 + off) * total[name]).astype(
            np.float32
        )
        for name, values in step.noised_sum.items()
    }
    rows = {name: np.stack(64 * [values / 64]) for name, values in total.items()}
    return dataclasses.replace(step, clipped_sum={}, grad_sample=rows, noised_sum=noised)


@pytest.mark.parametrize(
    ("off", "status"), [(0.0, AGREES), (5e-6, AGREES), (1.3e-5, DIFFERS), (1e-3, DIFFERS)]
)
def test_a_sum_that_refdp_worked_out_leaves_room_for_its_tolerance_only(off: float, status: str) -> None:
    """At 1.3e-5 no single entry is off by more than 1e-5 of the whole sum; all of them together are."""
    assert judged(from_gradients(off)).status == status


@pytest.mark.parametrize("generator", again.GENERATORS)
def test_draws_of_either_generator_pass_every_test(generator: str) -> None:
    """200,000 a step in float32: their few bits (2^23 and 2^24 uniforms) are no alarm."""
    shapes = {"a": (400, 500)}
    steps = []
    for k in range(3):
        z = (
            TorchSteps(8, [(400, 500)]).at(k)[0]
            if generator == "torch-cpu"
            else jax_step(8, [(400, 500)], k)[0]
        )
        steps.append(dataclasses.replace(recorded({"a": z}, generator, 8, k), seed=None))
    assert all(judged(step).status == AGREES for step in steps), shapes
    together = noise.judge_all(views(*steps))
    assert together is not None
    assert together.status == AGREES


def always(sample: object, drawn: object) -> bool:
    return True


def test_a_replay_that_always_matches_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "_same", always)
    with pytest.raises(AssertionError):
        test_what_the_seed_does_not_give_differs_though_it_is_normal("another seed")
