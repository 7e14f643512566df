"""Traces whose steps do not follow each other: what is not known is not made up, and what was changed is found."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import faulty_step as fs
import numpy as np
import pytest

from refdp.crosscheck import assert_gradients_match, assert_step_matches
from refdp.crosscheck.training.check import check_trace
from refdp.crosscheck.training.report import document, text
from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING
from refdp.errors import RefDPError
from refdp.traces import Trace, TracedStep
from refdp.traces.reader import from_arrays
from refdp.traces.writer import to_arrays

RUN = fs.run("mlp", steps=6)
NETWORK = fs.network("mlp")


def updates(trace: Trace) -> list[str]:
    return [step.stages[-1].status for step in check_trace(trace, NETWORK).steps]


def stripped(steps: Any, unwanted: str) -> Trace:
    arrays = to_arrays(Trace(tuple(steps), RUN.meta))
    return from_arrays({key: values for key, values in arrays.items() if not unwanted_in(key, unwanted)})


def unwanted_in(key: str, kind: str) -> bool:
    return key.endswith("/step") if kind == "step" else key.startswith("step1/param/")


def test_momentum_over_steps_that_were_not_recorded_is_not_made_up() -> None:
    assert updates(RUN) == [AGREES] * 6
    assert updates(Trace(RUN.steps[::2], RUN.meta)) == [AGREES, MISSING, MISSING]
    assert updates(Trace(RUN.steps[3:], RUN.meta)) == [MISSING] * 3
    assert updates(stripped(RUN.steps[3:], "step")) == [MISSING] * 3


def test_weights_are_not_carried_over_a_gap() -> None:
    assert stripped(RUN.steps[:2], "param").steps[1].params.keys() == RUN.steps[1].params.keys()
    assert not stripped(RUN.steps[:4:2], "param").steps[1].params


def test_steps_out_of_order_are_refused() -> None:
    with pytest.raises(RefDPError, match="step1: step: is 0 after 1"):
        stripped(RUN.steps[1::-1], "nothing")


def test_weights_that_change_between_steps_are_found() -> None:
    moved = {name: values + np.float32(1e-3) for name, values in RUN.steps[4].params.items()}
    after = {
        n: moved[n] + (values - RUN.steps[4].params[n]) for n, values in RUN.steps[4].params_after.items()
    }
    steps = [*RUN.steps[:4], dataclasses.replace(RUN.steps[4], params=moved, params_after=after)]
    stage = check_trace(Trace(tuple(steps), RUN.meta)).steps[4].stages[-1]
    assert (stage.status, [cause.id for cause in stage.causes]) == (
        DIFFERS,
        ["weights-changed-between-steps"],
    )
    gap = [*steps[:3], steps[4]]  # step 3 was not recorded: nobody can tell
    assert updates(Trace(tuple(gap), RUN.meta))[3] == MISSING


def test_a_divisor_of_the_realised_size_is_said_without_batch_index() -> None:
    step = dataclasses.replace(RUN.steps[0], batch_index=None, divisor=12.0, params_after={})
    found = document(check_trace(Trace((step,), RUN.meta), NETWORK), 1e-5)
    lines = text(found)
    assert "remark: divisor-is-realised-size (UNSAFE)" in lines
    assert lines.endswith("UNSAFE by the remarks all the same: divisor-is-realised-size")


@pytest.mark.parametrize("clip_norm", [1e-40, 1e30, 1e300])
def test_a_clip_norm_out_of_every_rules_range_is_judged_all_the_same(clip_norm: float) -> None:
    step = dataclasses.replace(RUN.steps[0], clip_norm=clip_norm)
    assert not check_trace(Trace((step,), RUN.meta), NETWORK).agrees


@pytest.mark.parametrize("layout", [["channels-last"], {"a": 1}])
def test_a_layout_of_another_type_is_refused(layout: Any) -> None:
    arrays = to_arrays(fs.run("conv", steps=1)) | {"meta": np.array(json.dumps({"layout": layout}))}
    with pytest.raises(RefDPError, match=r"meta\.layout = "):
        assert_step_matches(arrays, fs.network("conv"))


def test_nothing_compared_is_no_match() -> None:
    step: Any = RUN.steps[0]
    none = {name: values[:0] for name, values in step.grad_sample.items()}
    with pytest.raises(RefDPError, match="holds no sample"):
        assert_gradients_match(NETWORK, step.params, step.x[:0], step.y[:0], none)
    lost = {name: values * np.float32("nan") for name, values in step.params.items()}
    rows = {name: values * np.float32("nan") for name, values in step.grad_sample.items()}
    with pytest.raises(RefDPError, match="hold NaN or inf"):
        assert_gradients_match(NETWORK, lost, step.x, step.y, rows)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"grad_sample": None}, "grad_sample: is a NoneType"),
        ({"grad_sample": {"fc1.bias": [[1.0], [2.0, 3.0]]}}, "grad_sample/fc1.bias: is no array of numbers"),
        ({"clip_norm": "a"}, "clip_norm: is <U1"),
        ({"tolerance": "1"}, "tolerance = '1'"),
    ],
)
def test_malformed_arguments_are_refused_in_words(changed: dict[str, Any], words: str) -> None:
    """G3."""
    step = RUN.steps[0]
    given = {"grad_sample": step.grad_sample} | changed
    with pytest.raises(RefDPError, match=words):
        assert_gradients_match(NETWORK, step.params, step.x, step.y, **given)


def test_factors_of_a_size_that_was_drawn_are_not_called_safe() -> None:
    """More noise is safe where how much more does not depend on who is in the batch."""
    cases = {
        "noise-per-sample": ("noise", lambda s, z: {n: v * s.size**0.5 for n, v in z.items()}),
        "noise-per-micro-batch": ("noise", lambda s, z: {n: v * 3**0.5 for n, v in z.items()}),
        "sum-scaled": ("clipped sum", lambda s, t: {n: v * np.float32(0.6) for n, v in t.items()}),
        "labels-out-of-order": ("gradients", lambda s, g: fs.gradients(s.model, s.p, s.x, np.roll(s.y, 1))),
    }
    for id_, (stage, hook) in cases.items():
        trace = fs.run("conv", hooks={stage: hook}, steps=1, clip_norm=8.0)
        judged = {one.name: one for one in check_trace(trace, fs.network("conv")).steps[0].stages}[stage]
        assert (judged.causes[0].id, judged.causes[0].safe) == (id_, None), judged.causes


def test_a_clip_norm_taken_from_the_batch_is_not_called_safe() -> None:
    def to(value: Any) -> Any:
        return lambda s, total: fs.weighted(s, fs.clip(s.norms, value(s)))

    for value, safe in ((lambda s: float(np.median(s.norms)), None), (lambda s: 9.9123, True)):
        trace = fs.run("conv", hooks={"clipped sum": to(value)}, steps=1, clip_norm=14.0)
        stage = check_trace(trace, fs.network("conv")).steps[0].stages[3]
        assert (stage.causes[0].id, stage.causes[0].safe) == ("other-clip-norm", safe), stage.causes


@pytest.mark.parametrize("moved", [0.0, 1.0, -1.0])
def test_a_move_that_the_weights_rounding_hides_is_no_agreement(moved: float) -> None:
    params, total = np.ones(50, np.float32), np.linspace(-1, 1, 50)
    step = TracedStep(
        params={"w": params}, clipped_sum={"w": total}, noised_sum={"w": total}, noise_multiplier=0.0, clip_norm=1.0,
        divisor=1.0, learning_rate=1e-9, params_after={"w": (params - moved * 1e-9 * total).astype(np.float32)},
    )  # fmt: skip
    stage = check_trace(Trace((step,))).steps[0].stages[-1]
    assert stage.status == MISSING
    assert "record them in float64" in stage.against
    wide = dataclasses.replace(
        step, params={"w": np.ones(50)}, params_after={"w": np.ones(50) - moved * 1e-9 * total}
    )
    assert check_trace(Trace((wide,))).steps[0].stages[-1].status == (AGREES if moved == 1.0 else DIFFERS)


def test_a_batch_beyond_memory_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **options: Any) -> Any:
        raise MemoryError("Unable to allocate 2.33 TiB")

    monkeypatch.setattr(type(NETWORK), "per_sample_gradients", full)
    with pytest.raises(RefDPError, match="12 samples of 261 parameters: more than memory holds"):
        check_trace(Trace(RUN.steps[:1], RUN.meta), NETWORK)
