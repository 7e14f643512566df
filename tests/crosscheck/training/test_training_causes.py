"""Seeded faults, each found at its stage and named, from a trace file alone; sound steps and garbage are not named."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crosscheck.training import faulty_step as fs
from crosscheck.training.training_faults import FAULTS, Fault
from hypothesis import example, given, settings
from hypothesis import strategies as st

from refdp.crosscheck.training import causes, noise_scales
from refdp.crosscheck.training.check import Verdict, check_trace
from refdp.crosscheck.training.result import DIFFERS, Stage
from refdp.crosscheck.training.view import StepView
from refdp.traces import Trace, TracedStep, read, write

ROOT = Path(__file__).parents[3]
ELSEWHERE = {
    "nan-passes", "clipped-by-recorded-norms", "noise-of-an-earlier-step", "other-divisor",
    "empty-batch-skipped", "divisor-is-realised-size", "divisor-not-expected", "batch-in-order",
    "batches-without-repeats", "record-twice", "noise-not-replayed",
    "weights-changed-between-steps",
}  # fmt: skip
"""Causes that have a test of their own below, or beside the stage that finds them."""


def judged(trace: Trace, model: str, tmp_path: Path) -> Verdict:
    """By way of a file."""
    path = tmp_path / "trace.npz"
    write(trace, path)
    return check_trace(read(path), fs.network(model))


def stage(verdict: Verdict, name: str) -> Stage:
    """Of the last step."""
    return next(stage for stage in verdict.steps[-1].stages if stage.name == name)


def ids(verdict: Verdict, name: str) -> list[str]:
    return [cause.id for cause in stage(verdict, name).causes]


def differing(verdict: Verdict) -> list[tuple[int, str]]:
    return [(step.number, s.name) for step in verdict.steps for s in step.stages if s.status == DIFFERS]


def last(trace: Trace, **changes: Any) -> Trace:
    """With the last step changed."""
    return replace(trace, steps=(*trace.steps[:-1], replace(trace.steps[-1], **changes)))


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault}-{place}" for place, fault in enumerate(FAULTS)])
def test_fault_is_found_where_it_is_and_named_first(fault: Fault, tmp_path: Path) -> None:
    trace = fs.run(fault.model, 1, {fault.stage: fault.hook}, **fault.settings)
    verdict = judged(trace, fault.model, tmp_path)
    assert differing(verdict) == [(2, fault.stage)]
    assert ids(verdict, fault.stage)[:1] == [fault.id]
    assert any(
        character.isdigit() for character in stage(verdict, fault.stage).causes[0].text
    )  # figures as evidence


@pytest.mark.parametrize("seed", range(50))
def test_sound_step_raises_no_alarm_and_no_cause(seed: int, tmp_path: Path) -> None:
    model = ("mlp", "conv", "ws")[seed % 3]
    verdict = judged(fs.run(model, seed), model, tmp_path)
    assert verdict.agrees
    assert verdict.judged == 19  # all six stages of three steps, and their noise together
    assert [c for step in verdict.steps for s in step.stages for c in s.causes] == []


@settings(max_examples=30)
@given(
    model=st.sampled_from(["mlp", "conv", "ws"]),
    size=st.integers(1, 24),
    clip_norm=st.floats(0.02, 50.0),
    noise_multiplier=st.floats(0.3, 8.0),
    seed=st.integers(0, 2**32),
)
@example(
    model="conv", size=3, clip_norm=11.0, noise_multiplier=7.0, seed=795
)  # a sample of confidence 1 - 1e-6
def test_sound_steps_agree_whatever_their_settings(
    model: str, size: int, clip_norm: float, noise_multiplier: float, seed: int
) -> None:
    trace = fs.run(model, seed, size=size, clip_norm=clip_norm, noise_multiplier=noise_multiplier, steps=2)
    verdict = check_trace(trace, fs.network(model))
    assert verdict.agrees
    assert [c for step in verdict.steps for s in step.stages for c in s.causes] == []


ANYWHERE = [
    f
    for f in FAULTS
    if f.id in ("gradients-sign", "norms-squared", "sum-sign", "noise-missing", "update-uphill")
]


@settings(max_examples=30)
@given(
    fault=st.sampled_from(ANYWHERE),
    size=st.integers(2, 24),
    clip_norm=st.floats(0.05, 20.0),
    noise_multiplier=st.floats(0.3, 8.0),
    seed=st.integers(0, 2**32),
)
def test_faults_that_can_always_be_told_are_named_whatever_the_settings(
    fault: Fault, size: int, clip_norm: float, noise_multiplier: float, seed: int
) -> None:
    trace = fs.run(
        fault.model,
        seed,
        {fault.stage: fault.hook},
        size=size,
        clip_norm=clip_norm,
        noise_multiplier=noise_multiplier,
    )
    verdict = check_trace(trace, fs.network(fault.model))
    assert differing(verdict) == [(2, fault.stage)]
    assert fault.id in ids(verdict, fault.stage)


@pytest.mark.parametrize("epsilon", [1e-6, 1e-5])
def test_small_epsilon_is_a_remark_within_tolerance(epsilon: float, tmp_path: Path) -> None:
    def opacus(s: Any, total: Any) -> Any:
        return fs.weighted(s, fs.clip(fs.length(s.g), s.c, epsilon))

    verdict = judged(fs.run("mlp", 0, {"clipped sum": opacus}), "mlp", tmp_path)
    assert verdict.agrees
    (remark,) = stage(verdict, "clipped sum").causes
    assert remark.id == "clip-epsilon"
    assert remark.safe is True
    assert f"n + {epsilon:g}" in remark.text


def test_epsilon_is_not_read_out_of_records_too_few_to_tell(tmp_path: Path) -> None:
    def opacus(s: Any, total: Any) -> Any:
        return fs.weighted(s, fs.clip(fs.length(s.g), s.c, 1e-6))

    verdict = judged(fs.run("mlp", 0, {"clipped sum": opacus}, size=2, clip_norm=0.1), "mlp", tmp_path)
    assert ids(verdict, "clipped sum") == []


def test_not_a_number_that_passes_is_named_and_dropping_it_agrees(tmp_path: Path) -> None:
    def broken(s: Any, g: Any) -> Any:
        s.x = s.x.copy()
        s.x[2] = np.nan
        return fs.gradients(s.model, s.p, s.x, s.y)

    assert judged(fs.run("mlp", 0, {"gradients": broken}), "mlp", tmp_path).agrees
    passes = {
        "gradients": broken,
        "clipped sum": lambda s, total: fs.weighted(s, fs.clip(fs.length(s.g), s.c)),
    }
    verdict = judged(fs.run("mlp", 0, passes), "mlp", tmp_path)
    assert verdict.parted is not None
    assert verdict.parted[1].name == "clipped sum"
    (cause,) = stage(verdict, "clipped sum").causes
    assert (cause.id, cause.safe) == ("nan-passes", False)


def test_sum_clipped_by_wrong_norms_says_that_they_differ_already(tmp_path: Path) -> None:
    hooks = {
        "norms": lambda s, n: n * np.linspace(0.5, 1.5, len(n)),
        "clipped sum": lambda s, total: fs.weighted(s, fs.clip(s.norms, s.c)),
    }
    verdict = judged(fs.run("conv", 0, hooks), "conv", tmp_path)
    assert differing(verdict) == [(2, "norms"), (2, "clipped sum")]
    assert ids(verdict, "norms") == []
    assert "clipped-by-recorded-norms" in ids(verdict, "clipped sum")


def test_noise_of_an_earlier_step_is_told_though_it_is_normal(tmp_path: Path) -> None:
    verdict = judged(fs.run("mlp", 0, {"noise": lambda s, noise: s.history[-1].noise}), "mlp", tmp_path)
    assert not verdict.agrees  # by the stage over all steps
    assert ids(verdict, "noise") == ["noise-of-an-earlier-step"]


def test_other_divisor_than_recorded(tmp_path: Path) -> None:
    hooks = {
        "update": lambda s, move: {n: -s.rate * s.noised[n] / 14 for n in move},
        "batch": lambda s, step: replace(step, divisor=20.0),
    }
    verdict = judged(fs.run("mlp", 0, hooks, momentum=0.0), "mlp", tmp_path)
    assert ids(verdict, "update")[:1] == ["other-divisor"]
    assert ids(verdict, "batch") == ["divisor-not-expected"]


def test_realised_size_as_recorded_divisor_is_a_remark(tmp_path: Path) -> None:
    hooks = {"batch": lambda s, step: replace(step, expected_batch_size=14.0)}
    verdict = judged(fs.run("mlp", 0, hooks, expected=12.0), "mlp", tmp_path)
    assert verdict.agrees
    assert ids(verdict, "batch") == ["divisor-is-realised-size"]


@pytest.mark.parametrize("noised", [True, False])
def test_empty_batch_that_is_skipped(noised: bool, tmp_path: Path) -> None:
    trace = fs.run("mlp", 0, momentum=0.0)
    step = trace.steps[-1]
    assert step.x is not None
    nothing = {n: np.zeros_like(v) for n, v in step.clipped_sum.items()}
    noise = {n: step.noised_sum[n] - step.clipped_sum[n] for n in nothing}
    skipped = last(
        trace,
        x=step.x[:0], y=step.y[:0], norms=step.norms[:0], batch_index=step.batch_index[:0],
        grad_sample={n: v[:0] for n, v in step.grad_sample.items()},
        clipped_sum=nothing, noised_sum=noise if noised else {}, params_after=dict(step.params),
    )  # fmt: skip
    verdict = judged(skipped, "mlp", tmp_path)
    assert ids(verdict, "batch") == ["empty-batch-skipped"]
    assert ids(verdict, "update")[:1] == (["empty-batch-skipped"] if noised else [])
    after = {n: v - np.float32(step.learning_rate / step.divisor) * noise[n] for n, v in step.params.items()}
    assert judged(last(skipped, noised_sum=noise, params_after=after), "mlp", tmp_path).agrees


def test_batches_that_are_not_sampled(tmp_path: Path) -> None:
    trace = fs.run("mlp", 0, steps=20)
    ordered = replace(
        trace,
        steps=tuple(
            replace(s, batch_index=np.arange(12 * k, 12 * k + 12)) for k, s in enumerate(trace.steps)
        ),
    )
    found = [[c.id for c in step.stages[0].causes] for step in judged(ordered, "mlp", tmp_path).steps]
    assert found[0] == ["batch-in-order"]
    order = np.random.default_rng(0).permutation(240).reshape(20, 12)
    shuffled = replace(
        trace, steps=tuple(replace(s, batch_index=own) for s, own in zip(trace.steps, order, strict=True))
    )
    said = [c.id for step in judged(shuffled, "mlp", tmp_path).steps for c in step.stages[0].causes]
    assert said == ["batches-without-repeats"]


def test_scale_is_not_explained_where_one_is_in_the_interval_or_the_law_is_another() -> None:
    measured = {"scale": 2.0, "scale_interval": (1.9, 2.1), "failed": ["scale"]}
    known: noise_scales.Candidates = {"twice": (2.0, "", True), "thrice": (3.0, "", True)}
    made = Stage("noise", DIFFERS, "", figures=measured)
    found = noise_scales.closest(made, known)
    assert found is not None
    assert found.id == "twice"
    for other in (
        {"scale_interval": (0.9, 4.0)},
        {"failed": ["scale", "distribution"]},
        {"failed": ["mean"]},
    ):
        assert noise_scales.closest(replace(made, figures=measured | other), known) is None


def test_nothing_is_explained_of_what_was_not_recorded() -> None:
    bare = StepView(TracedStep(clip_norm=1.0))
    for name in ("batch", *fs.STAGES):
        assert causes.explain(bare, Stage(name, DIFFERS, ""), 1e-5) == ()


def test_every_cause_is_documented_and_has_a_fault() -> None:
    table = (ROOT / "docs" / "known-causes.md").read_text()
    documented = set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE))
    tested = {fault.id for fault in FAULTS} | ELSEWHERE
    assert documented == tested
    stages = {module.STAGE for module in causes.modules()}
    assert stages == {"batch", *fs.STAGES}
    sources = "".join(path.read_text() for path in Path(causes.__file__).parent.glob("*.py"))
    for id_ in documented - {"record-twice", "noise-not-replayed", "weights-changed-between-steps"}:
        assert f'"{id_}"' in sources or id_.startswith(("rule-", "noise-laplace", "noise-uniform")), id_
