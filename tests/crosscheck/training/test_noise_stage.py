"""The noise stage: what is sound agrees, every seeded fault is found by the test that is there for it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from noise_steps import CNN, SMALL, Noise, each, sound, step_of, views

from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage
from refdp.crosscheck.training.stages import noise
from refdp.crosscheck.training.view import StepView
from refdp.traces import TracedStep

RNG = np.random.default_rng(5)
START = RNG.bit_generator.state


@pytest.fixture(autouse=True)
def the_same_draws_in_any_order_of_tests() -> None:
    RNG.bit_generator.state = START


def judged(step: TracedStep) -> Stage:
    return noise.judge(StepView(step), 1e-5)


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize(
    "shapes", [SMALL, CNN, {"w": (1,)}, {"w": ()}, {"w": (2,), "b": ()}, {"w": (3, 0), "b": (5,)}]
)
def test_sound_noise_agrees_and_is_measured(shapes: dict[str, tuple[int, ...]], draws: int) -> None:
    stage = judged(step_of(sound(RNG, shapes, draws), RNG))
    assert stage.status == AGREES
    size = draws * sum(math.prod(shape) for shape in shapes.values())
    figures = stage.figures
    assert figures["coordinates"] == size
    assert figures["scale_interval"][0] < figures["scale"] < figures["scale_interval"][1]
    assert set(figures["by_parameter"]) == {name for name, shape in shapes.items() if math.prod(shape)}
    assert figures["threshold"] * len(figures["p_values"]) == pytest.approx(1e-6)
    assert min(figures["p_values"].values()) > figures["threshold"]
    if size > 1000:
        assert figures["scale"] == pytest.approx(1, abs=5 / math.sqrt(2 * size))


def laplace(values: np.ndarray) -> np.ndarray:
    return RNG.laplace(size=values.shape) / math.sqrt(2)


def mixture(values: np.ndarray) -> np.ndarray:
    wide = RNG.random(values.shape) < 0.5
    return values * np.where(wide, math.sqrt(1.9), math.sqrt(0.1))


def broadcast(values: np.ndarray) -> np.ndarray:
    return np.broadcast_to(values[:, :, :1], values.shape)


def partly_shared(values: np.ndarray) -> np.ndarray:
    return math.sqrt(0.8) * values + math.sqrt(0.2) * RNG.normal(size=(1, 1, values.shape[2]))


FAULTS: dict[str, tuple[Callable[[Noise], Noise], str]] = {
    "half": (each(lambda v: v / 2), "scale"),
    "without the clip norm": (each(lambda v: v / 0.5), "scale"),
    "divided by the batch": (each(lambda v: v / 64), "scale"),
    "none": (each(lambda v: 0 * v), "scale"),
    "1.04": (each(lambda v: 1.04 * v), "scale"),
    "laplace": (each(laplace), "distribution"),
    "uniform": (each(lambda v: RNG.uniform(-math.sqrt(3), math.sqrt(3), size=v.shape)), "distribution"),
    "mixture": (each(mixture), "distribution"),
    "signs": (each(np.sign), "distribution"),
    "float16": (each(lambda v: v.astype(np.float16)), "repeats"),
    "rounded": (each(lambda v: np.round(v, 3)), "repeats"),
    "cut at 3": (each(lambda v: np.clip(v, -3, 3)), "largest"),
    "one far out": (lambda z: z | {"fc2.bias": z["fc2.bias"] + 9 * (np.arange(10) == 4)}, "largest"),
    "one unnoised": (lambda z: z | {"fc2.bias": 0 * z["fc2.bias"]}, "scale by parameter"),
    "one by 1.5": (lambda z: z | {"fc1.weight": 1.5 * z["fc1.weight"]}, "scale by parameter"),
    "two alike": (lambda z: z | {"conv2.bias": z["fc1.bias"]}, "between parameters"),
    "one beginning": (lambda z: z | {"fc2.bias": z["fc1.bias"][:, :10]}, "between parameters"),
    "mirrored": (lambda z: z | {"conv2.bias": -z["fc1.bias"]}, "between parameters"),
    "a row's value": (lambda z: z | {"fc2.weight": broadcast(z["fc2.weight"])}, "repeats"),
    "a row's value, too": (lambda z: z | {"fc2.weight": broadcast(z["fc2.weight"])}, "sums along axes"),
    "partly shared": (lambda z: z | {"fc1.weight": partly_shared(z["fc1.weight"])}, "sums along axes"),
    "mean": (each(lambda v: v + 0.1), "mean"),
    "a mean in one": (lambda z: z | {"fc2.weight": z["fc2.weight"] + 0.6}, "sums along axes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_found(fault: str) -> None:
    change, wanted = FAULTS[fault]
    stage = judged(step_of(change(sound(RNG, CNN)), RNG))
    assert stage.status == DIFFERS
    assert wanted in stage.figures["failed"]
    assert wanted in stage.against


def test_figures_tell_which_fault_it_is() -> None:
    z = sound(RNG, CNN)
    z |= {"fc2.bias": z["fc1.bias"][:, :10], "conv1.bias": 0 * z["conv1.bias"]}
    figures = judged(step_of(each(lambda v: v / 2)(z), RNG)).figures
    assert figures["scale"] == pytest.approx(0.5, rel=0.02)
    assert figures["scale_interval"][1] < 0.52
    assert "distribution" not in figures["failed"]  # normal all the same
    assert figures["by_parameter"]["conv1.bias"] < 1e-5
    assert {"fc1.bias", "fc2.bias"} == set(figures["closest_parameters"][:2])
    assert figures["repeats_by_parameter"]["conv1.bias"] > 0


def test_two_percent_takes_a_few_draws_or_steps() -> None:
    """One draw of 26,010 coordinates has 2.3 % at even odds; four draws have 1.2 %, and so have four steps."""
    wide = each(lambda v: 1.02 * v)
    assert "scale" in judged(step_of(wide(sound(RNG, CNN, 4)), RNG)).figures["failed"]
    stage = noise.judge_all(views(*(step_of(wide(sound(RNG, CNN)), RNG) for _ in range(4))))
    assert stage is not None
    assert "scale" in stage.figures["failed"]


def test_the_same_noise_in_two_draws() -> None:
    z = {name: np.concatenate([v, v[1:2]]) for name, v in sound(RNG, SMALL, 5).items()}
    stage = judged(step_of(z, RNG))
    assert {"between draws", "repeats"} <= set(stage.figures["failed"])
    assert stage.figures["closest_draws"][:2] == (1, 5)


def test_steps_of_sound_noise_agree_together() -> None:
    stage = noise.judge_all(views(*(step_of(sound(RNG, SMALL, 2), RNG, step=k) for k in range(5))))
    assert stage is not None
    assert (stage.name, stage.status) == ("noise, all steps", AGREES)
    assert stage.figures["steps"] == 5


def test_the_same_noise_in_two_steps_is_found_under_another_scale_too() -> None:
    steps = [step_of(sound(RNG, SMALL), RNG, step=k) for k in range(3)]
    again = sound(np.random.default_rng(9), SMALL)
    steps[1], other = (step_of(again, RNG, noise_multiplier=z) for z in (1.1, 2.5))
    stage = noise.judge_all(views(*steps, other))
    assert stage is not None
    assert stage.status == DIFFERS
    assert {"between steps", "repeats"} <= set(stage.figures["failed"])
    assert stage.figures["closest_steps"][:2] == (1, 3)


@pytest.mark.parametrize("shift", [7, 100, 700, -300])
def test_noise_used_again_at_another_place_is_found(shift: int) -> None:
    stream, size = RNG.normal(size=3000), 1000
    at = {0: max(0, -shift), 1: 1900, 2: max(0, -shift) + shift}  # step 1 has its own
    rows = {k: RNG.normal(size=size) if k == 1 else stream[start : start + size] for k, start in at.items()}
    stage = noise.judge_all(views(*(step_of({"w": rows[k][None]}, RNG, step=k) for k in range(3))))
    assert stage is not None
    assert "between steps, shifted" in stage.figures["failed"]
    assert stage.figures["closest_shifted_steps"][:3] == (0, 2, shift)


def test_fewer_than_two_steps_with_noise_tell_nothing_together() -> None:
    one, none = step_of(sound(RNG, SMALL), RNG), step_of(sound(RNG, SMALL), RNG, noise_multiplier=0.0)
    unknown = dataclasses.replace(one, noised_sum={})
    assert noise.judge_all(views(one, none, unknown)) is None


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        ({"noised_sum": {}}, "noised_sum was not recorded"),
        ({"noise_multiplier": None}, "noise_multiplier was not recorded"),
        ({"clip_norm": None}, "clip_norm was not recorded"),
        ({"clipped_sum": {}}, "neither clipped_sum, gradients nor the model"),
    ],
)
def test_what_is_missing_is_said(left_out: dict[str, object], why: str) -> None:
    stage = judged(dataclasses.replace(step_of(sound(RNG, SMALL), RNG), **left_out))  # type: ignore[arg-type]
    assert stage.status == MISSING
    assert why in stage.against


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("noise_multiplier", [1.1, 0.0])
def test_what_is_not_finite_never_agrees(value: float, noise_multiplier: float) -> None:
    step = step_of(sound(RNG, SMALL), RNG, noise_multiplier=noise_multiplier)
    step.noised_sum["a.bias"][0, 3] = value
    stage = judged(step)
    assert stage.status == DIFFERS
    assert stage.figures["not_finite"] == {"a.bias": 1}


def test_a_sum_that_is_not_finite_is_left_to_its_own_stage() -> None:
    step = step_of(sound(RNG, SMALL), RNG)
    for arrays, place in ((step.clipped_sum, (3,)), (step.noised_sum, (0, 3))):
        arrays["a.bias"][place] = np.nan
    stage = judged(step)
    assert (stage.status, stage.figures["not_judged"]) == (AGREES, ("a.bias",))


def test_without_noise_the_sums_are_the_same_to_rounding() -> None:
    step = step_of(sound(RNG, SMALL), RNG, noise_multiplier=0.0, clip_norm=1.0)
    assert judged(step).status == AGREES
    step.noised_sum["a.bias"][0] = np.nextafter(step.noised_sum["a.bias"][0], np.float32(9))
    assert judged(step).status == AGREES
    step.noised_sum["a.bias"][0, 2] += np.float32(1e-5)
    stage = judged(step)
    assert stage.status == DIFFERS
    assert next(d for d in stage.differences if d.name == "a.bias").absolute == pytest.approx(1e-5, rel=0.1)


def test_rounding_that_hides_noise_is_no_false_alarm_and_no_agreement() -> None:
    """Sums of about 1 in float32 are known to 1.2e-7: noise of 1e-3, 1e-6 and 1e-8."""
    small, coarse, hidden = (
        judged(step_of(sound(RNG, CNN), RNG, noise_multiplier=z, clip_norm=1.0)) for z in (1e-3, 1e-6, 1e-8)
    )
    assert (small.status, coarse.status, hidden.status) == (AGREES, AGREES, MISSING)
    assert "rounding" not in small.against
    assert "rounding of the recorded sums is 0.0" in coarse.against
    assert "hidden by the rounding" in hidden.against
    far = judged(step_of(sound(RNG, CNN), RNG, noise_multiplier=1e-3, clip_norm=1.0))
    loud = dataclasses.replace(
        step_of(sound(RNG, CNN), RNG, noise_multiplier=1e-3, clip_norm=1.0), noise_multiplier=1e-8
    )
    assert (far.status, judged(loud).status) == (AGREES, DIFFERS)


def test_sums_in_half_precision_and_float32_sums_stored_wider() -> None:
    step = step_of(sound(RNG, CNN), RNG)
    half = {name: values.astype(np.float16) for name, values in step.noised_sum.items()}
    wide = {name: values.astype(np.float64) for name, values in step.noised_sum.items()}
    assert judged(dataclasses.replace(step, noised_sum=half)).status == AGREES
    assert judged(dataclasses.replace(step, noised_sum=wide)).status == AGREES
    quiet = step_of(sound(RNG, CNN), RNG, noise_multiplier=1e-8)
    wide = {name: values.astype(np.float64) for name, values in quiet.noised_sum.items()}
    assert judged(dataclasses.replace(quiet, noised_sum=wide)).status == MISSING
    hidden = {name: values.astype(np.float32) for name, values in half.items()}
    assert "repeats" in judged(dataclasses.replace(step, noised_sum=hidden)).figures["failed"]


def test_uneven_draws_are_not_judged() -> None:
    step = step_of(sound(RNG, SMALL, 2), RNG)
    step.noised_sum["a.bias"] = step.noised_sum["a.bias"][:1]
    assert judged(step).status == MISSING
