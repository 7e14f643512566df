"""The assertions that a framework's own test suite calls, and the pytest plugin."""

from __future__ import annotations

import dataclasses
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crosscheck.training import faulty_step as fs
from crosscheck.training.training_faults import FAULTS

from refdp.crosscheck import assert_gradients_match, assert_step_matches
from refdp.crosscheck.training.rerun import rerun
from refdp.errors import RefDPError
from refdp.models import description
from refdp.traces import Trace, read, write
from refdp.traces.writer import to_arrays

pytest_plugins = ["pytester"]
MODELS = ("mlp", "conv", "ws")


class Tensor:
    """What a torch tensor offers."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> Any:
        return self._values

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a tensor that needs a gradient")


def tensors(arrays: Any) -> dict[str, Tensor]:
    return {name: Tensor(values) for name, values in arrays.items()}


@pytest.mark.parametrize("model", MODELS)
def test_right_gradients_match(model: str) -> None:
    step = fs.run(model, 3).steps[0]
    for given in (fs.network(model), description.describe(fs.network(model))):
        assert_gradients_match(
            given,
            tensors(step.params),
            Tensor(step.x),
            Tensor(step.y),
            tensors(step.grad_sample),
            norms=step.norms,
            clipped_sum=step.clipped_sum,
            clip_norm=step.clip_norm,
        )


@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if f.stage == "gradients" and f.id != "mean-loss"][:8], ids=str
)
def test_wrong_gradients_do_not_and_the_cause_is_named(fault: Any) -> None:
    step = fs.run(fault.model, 1, {fault.stage: fault.hook}, **fault.settings).steps[-1]
    with pytest.raises(AssertionError) as failed:
        assert_gradients_match(fs.network(fault.model), step.params, step.x, step.y, step.grad_sample)
    assert f"likely cause: {fault.id}" in str(failed.value)


def test_one_parameter_that_is_off_is_named() -> None:
    step = fs.run("mlp", 3).steps[0]
    wrong = dict(step.grad_sample) | {
        "fc1.bias": step.grad_sample["fc1.bias"] * (1 + 1e-3 * np.arange(12)[:, None])
    }
    with pytest.raises(AssertionError, match=r"(?s)gradients differ.*fc1\.bias: relative"):
        assert_gradients_match(fs.network("mlp"), step.params, step.x, step.y, wrong)


@pytest.mark.parametrize("factor", [np.nan, np.inf])
def test_numbers_that_are_none_never_match(factor: float) -> None:
    step = fs.run("mlp", 3).steps[0]
    wrong = {name: values.copy() for name, values in step.grad_sample.items()}
    wrong["fc2.bias"][3] = factor
    with pytest.raises(AssertionError):
        assert_gradients_match(fs.network("mlp"), step.params, step.x, step.y, wrong)


def test_what_is_malformed_is_no_failure() -> None:
    step = fs.run("mlp", 3).steps[0]
    network = fs.network("mlp")
    for changes, text in [
        ({"x": step.x[:3]}, "must have a row for each"),
        ({"grad_sample": {}}, "grad_sample was not recorded"),
        ({"params": dict(list(step.params.items())[:2])}, "are not in both"),
        ({"y": step.y + 5}, "this model has 5 classes"),
        ({"clipped_sum": step.clipped_sum}, "clip_norm: is needed"),
        ({"model": "resnet-20000"}, "unknown model"),
        ({"model": 3}, "is a int, must be a network"),
        ({"tolerance": 0.0}, "tolerance = 0.0"),
    ]:
        given: dict[str, Any] = {"model": network, "params": step.params, "x": step.x, "y": step.y}
        given |= {"grad_sample": step.grad_sample} | changes
        with pytest.raises(RefDPError, match=text):
            assert_gradients_match(**given)


@pytest.mark.parametrize("model", MODELS)
def test_a_right_run_matches_from_arrays_from_a_file_and_as_it_is(model: str, tmp_path: Path) -> None:
    trace, network = fs.run(model, 5), fs.network(model)
    write(trace, tmp_path / "run.npz")
    every = ("batch", "gradients", "norms", "clipped sum", "noise", "update")
    for given in (trace, tmp_path / "run.npz", str(tmp_path / "run.npz"), to_arrays(trace)):
        assert_step_matches(given, network, require=every)


@pytest.mark.parametrize("stage", ["norms", "clipped sum", "noise", "update"])
def test_a_wrong_step_does_not_and_says_where_and_why(stage: str) -> None:
    fault = next(f for f in FAULTS if f.stage == stage)
    trace = fs.run(fault.model, 1, {fault.stage: fault.hook}, **fault.settings)
    number = len(trace.steps) - 1
    with pytest.raises(AssertionError) as failed:
        assert_step_matches(trace, fs.network(fault.model))
    assert str(failed.value).startswith(f"step {number}: {stage}")
    assert fault.id in str(failed.value)
    assert_step_matches(trace, fs.network(fault.model), allow=[fault.id])
    assert_step_matches(trace, fs.network(fault.model), allow=fault.id)
    with pytest.raises(AssertionError):
        assert_step_matches(trace, fs.network(fault.model), allow=["another"])


def test_what_must_be_judged_and_was_not_recorded_is_said() -> None:
    trace = fs.run("mlp", 3)
    bare = Trace(tuple(dataclasses.replace(s, grad_sample={}) for s in trace.steps), trace.meta)
    assert_step_matches(bare, fs.network("mlp"))
    with pytest.raises(RefDPError, match="gradients cannot be judged: grad_sample was not recorded"):
        assert_step_matches(bare, fs.network("mlp"), require=["gradients"])
    with pytest.raises(RefDPError, match="'gradient' is no stage"):
        assert_step_matches(bare, fs.network("mlp"), require=["gradient"])


def test_a_trace_of_which_nothing_can_be_judged_is_no_pass() -> None:
    step = fs.run("mlp", 3).steps[0]
    with pytest.raises(RefDPError, match="nothing in this trace can be judged"):
        assert_step_matches({"x": step.x, "y": step.y})


@pytest.mark.parametrize("model", MODELS)
def test_a_run_taken_again_has_the_same_weights(model: str) -> None:
    found = rerun(fs.run(model, 7, steps=10), fs.network(model))
    assert found.stopped is None
    assert found.parted is None
    assert len(found.apart) == 10
    assert 0 < max(found.apart) < 1e-5


def test_a_run_that_went_another_way_is_parted_where_it_did() -> None:
    fault = next(f for f in FAULTS if f.stage == "update")
    trace = fs.run(fault.model, 1, {"update": fault.hook}, steps=4, **fault.settings)
    found = rerun(trace, fs.network(fault.model))
    assert found.parted == 3


def test_a_run_that_cannot_be_taken_again_says_why() -> None:
    trace = fs.run("mlp", 3)
    for changes, text in [
        ({"x": None}, "step 0: x, y, clip_norm or param_after"),
        ({"clipped_sum": {}}, "whose difference is the noise"),
        ({"divisor": None, "expected_batch_size": None}, "divisor or learning_rate"),
    ]:
        steps = tuple(dataclasses.replace(s, **changes) for s in trace.steps)
        found = rerun(Trace(steps, trace.meta), fs.network("mlp"))
        assert text in str(found.stopped)
        assert found.apart == ()
    later = Trace((dataclasses.replace(trace.steps[2]),), trace.meta)
    assert "momentum remembers" in str(rerun(later, fs.network("mlp")).stopped)


def test_the_plugin_holds_a_step_and_keeps_what_failed(pytester: pytest.Pytester, tmp_path: Path) -> None:
    fault = next(f for f in FAULTS if f.stage == "clipped sum")
    bad = fs.run(fault.model, 1, {fault.stage: fault.hook}, **fault.settings)
    document = description.describe(fs.network(fault.model))
    for name, trace in (("good", fs.run(fault.model, 1, **fault.settings)), ("bad", bad)):
        meta = dict(trace.meta) | {"layers": document}
        write(Trace(trace.steps, meta), tmp_path / f"{name}.npz")
    pytester.makepyfile(
        f"""
        import numpy as np

        def test_good(refdp_step):
            refdp_step(dict(np.load({str(tmp_path / "good.npz")!r})))

        def test_bad(refdp_step):
            refdp_step({str(tmp_path / "bad.npz")!r})
        """
    )
    installed = any(entry.value == "refdp.pytest_plugin" for entry in entry_points(group="pytest11"))
    by_hand = [] if installed else ["-p", "refdp.pytest_plugin"]  # metadata of an older installation in place
    done = pytester.runpytest_subprocess(*by_hand, "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1, failed=1)
    said = done.stdout.str()
    assert f"likely cause: {fault.id}" in said
    kept = next(line.rpartition(" ")[2] for line in said.splitlines() if "--trace" in line)
    assert len(read(kept).steps) == len(bad.steps)
