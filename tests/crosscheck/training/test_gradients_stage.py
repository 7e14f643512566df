"""Samples whose gradient rounding decides are left out and counted; everything else that is off differs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from crosscheck.training import faulty_step as fs

from refdp.crosscheck.training import kinks
from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage
from refdp.crosscheck.training.stages import clipped_sum, gradients, norms
from refdp.crosscheck.training.view import StepView, per_sample_gradients
from refdp.traces import TracedStep

SIZE = 12


def step(kinks: tuple[int, ...] = (), seed: int = 0) -> TracedStep:
    """A sound step of the mlp. Hidden unit 0 of the samples in ``kinks`` is at 0 but for rounding, and was recorded on
    the other side."""
    rng = np.random.default_rng(seed)
    params = {name: values.astype(np.float64) for name, values in fs.weights("mlp", rng).items()}
    x, y = fs.batch("mlp", SIZE, rng)
    x = x.astype(np.float64)
    unit, bias = params["fc1.weight"][0], params["fc1.bias"][0]
    for place, b in enumerate(kinks):
        side = 3e-8 * (-1) ** place
        x[b] -= unit * (unit @ x[b] + bias - side) / (unit @ unit)
    network = fs.network("mlp")
    rows = per_sample_gradients(network, params, x, y)
    for b in kinks:
        other = x.copy()
        other[b] -= unit * 2 * (unit @ x[b] + bias) / (unit @ unit)
        beyond = per_sample_gradients(network, params, other, y)
        for name, values in rows.items():
            assert name == "fc2.weight" or name == "fc2.bias" or not np.allclose(values[b], beyond[name][b])
            values[b] = beyond[name][b]
    return TracedStep(x=x, y=y, params=params, grad_sample=rows)


def judged(recorded: TracedStep) -> Stage:
    return gradients.judge(StepView(recorded, fs.network("mlp")), 1e-5)


def changed(recorded: TracedStep, row: int, factor: float) -> TracedStep:
    rows = {name: values.copy() for name, values in recorded.grad_sample.items()}
    with np.errstate(invalid="ignore"):
        for values in rows.values():
            values[row] *= factor
    return dataclasses.replace(recorded, grad_sample=rows)


def test_sound_gradients_agree_and_nothing_is_left_out() -> None:
    found = judged(step())
    assert found.status == AGREES
    assert found.figures == {}


@pytest.mark.parametrize("kinks", [(3,), (0, 11), (1, 2, 5, 7)])
def test_samples_at_a_kink_are_left_out_and_counted(kinks: tuple[int, ...]) -> None:
    found = judged(step(kinks))
    assert found.status == AGREES
    assert found.figures == {"decided_by_rounding": len(kinks), "samples": SIZE}
    assert found.relative < 1e-12


def test_not_where_they_are_more_than_a_third() -> None:
    assert judged(step((0, 1, 2, 3, 4))).status == DIFFERS


@pytest.mark.parametrize("factor", [1 + 1e-3, 2.0, -1.0, 0.0, np.nan, np.inf])
@pytest.mark.parametrize("kinks", [(), (3,)])
def test_a_row_that_is_off_differs_beside_them(factor: float, kinks: tuple[int, ...]) -> None:
    assert judged(changed(step(kinks), 6, factor)).status == DIFFERS


def test_so_does_a_kinks_own_row_that_is_off_by_more_than_the_kink() -> None:
    assert judged(changed(step((3,)), 3, 30.0)).status == DIFFERS


def with_an_outlier(recorded: TracedStep) -> TracedStep:
    """The first sample's input is a million times as large, and so is its gradient."""
    assert recorded.x is not None
    assert recorded.y is not None
    x = recorded.x.copy()
    x[0] *= 1e6
    y = recorded.y.copy()
    rows = per_sample_gradients(fs.network("mlp"), recorded.params, x, y)
    y[0] = int(np.argmax(rows["fc2.bias"][0] > -0.5)) if rows["fc2.bias"][0].min() > -0.5 else y[0]
    rows = per_sample_gradients(fs.network("mlp"), recorded.params, x, y)
    lengths = np.sqrt(sum(np.square(v.reshape(SIZE, -1)).sum(axis=1) for v in rows.values()))
    assert lengths[0] > 1e5 * np.median(lengths)
    return dataclasses.replace(recorded, x=x, y=y, grad_sample=rows)


def test_one_large_gradient_hides_no_other_row() -> None:
    recorded = with_an_outlier(step())
    assert judged(recorded).status == AGREES
    for factor in (0.0, 1.01, -1.0):
        rows = {name: values.copy() for name, values in recorded.grad_sample.items()}
        rows["fc1.weight"][6] *= factor
        found = judged(dataclasses.replace(recorded, grad_sample=rows))
        assert found.status == DIFFERS
        assert found.relative < 1e-5  # by this figure alone it would agree


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_nor_does_one_large_norm(clip_norm: float | None) -> None:
    recorded = with_an_outlier(step())
    exact = np.sqrt(sum(np.square(v.reshape(SIZE, -1)).sum(axis=1) for v in recorded.grad_sample.values()))
    for row, factor, status in [
        (6, 1.0, AGREES),
        (6, 1.001, DIFFERS),
        (0, 1.001, DIFFERS),
        (6, np.nan, DIFFERS),
    ]:
        own = exact.copy()
        own[row] *= factor
        found = norms.judge(StepView(dataclasses.replace(recorded, norms=own, clip_norm=clip_norm)), 1e-5)
        assert found.status == status, (row, factor)


def without_gradients(recorded: TracedStep, clip_norm: float = 1.0) -> TracedStep:
    """Norms and the clipped sum, and not the gradients that they are of."""
    view = StepView(dataclasses.replace(recorded, clip_norm=clip_norm))
    assert view.clipped_sum is not None
    return dataclasses.replace(
        recorded, clip_norm=clip_norm, norms=view.norms, clipped_sum=view.clipped_sum, grad_sample={}
    )


def sums(recorded: TracedStep) -> Stage:
    return clipped_sum.judge(StepView(recorded, fs.network("mlp")), 1e-5)


def test_where_gradients_were_not_recorded_norms_and_sums_have_that_room() -> None:
    recorded = without_gradients(step((3,)))
    found = norms.judge(StepView(recorded, fs.network("mlp")), 1e-5)
    assert (found.status, found.figures) == (AGREES, {"decided_by_rounding": 1})
    assert sums(recorded).status in (AGREES, MISSING)
    for row, kinks_there in [(6, (3,)), (6, ())]:
        off = without_gradients(changed(step(kinks_there), row, 30.0), clip_norm=100.0)
        assert sums(off).status == DIFFERS
        assert norms.judge(StepView(off, fs.network("mlp")), 1e-5).status == DIFFERS


def test_a_sum_that_rounding_moves_far_cannot_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = without_gradients(step((3,)))
    for largest, status in [(1.0, AGREES), (1e-9, MISSING)]:
        monkeypatch.setattr(clipped_sum, "LARGEST_ROOM", largest)
        assert sums(recorded).status == status


def test_a_smooth_gradient_gets_no_room_however_small_the_tolerance() -> None:
    recorded = without_gradients(step())
    off = {name: values * (1 + 1e-6) for name, values in recorded.clipped_sum.items()}
    view = StepView(dataclasses.replace(recorded, clipped_sum=off), fs.network("mlp"))
    assert clipped_sum.judge(view, 1e-5).status == AGREES
    assert clipped_sum.judge(view, 1e-8).status == DIFFERS
    rows = {name: values.copy() for name, values in step().grad_sample.items()}
    rows["fc1.weight"][6] *= 1 + 1e-6
    view = StepView(dataclasses.replace(step(), grad_sample=rows), fs.network("mlp"))
    assert gradients.judge(view, 1e-8).status == DIFFERS


def nothing_moves(*_: Any) -> np.ndarray:
    return np.zeros(SIZE, dtype=bool)


def everything_moves(*_: Any) -> np.ndarray:
    return np.arange(SIZE) == 6


def test_the_tests_see_a_stage_that_leaves_out_none_or_whatever_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kinks, "undecided", nothing_moves)
    assert judged(step((3,))).status == DIFFERS
    monkeypatch.setattr(kinks, "undecided", everything_moves)
    assert judged(changed(step(), 6, 2.0)).status == AGREES
