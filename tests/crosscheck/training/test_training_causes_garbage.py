"""What no known cause gives: random errors of any size and kind, and faults with random errors on top, get no name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crosscheck.training import faulty_step as fs
from crosscheck.training.training_faults import FAULTS, Fault

from refdp.crosscheck.training.check import Verdict, check_trace
from refdp.crosscheck.training.result import DIFFERS
from refdp.traces import Trace, read, write

UNSPOILT = (
    "float16-overflow", "update-skipped", "bias-gradient-zero", "gradient-left-out", "parameters-not-updated",
)  # fmt: skip
"""Errors in proportion to what is inf, or zero, change nothing."""
EXACT = [f for f in FAULTS if f.stage != "noise" and not f.id.endswith("precision") and f.id not in UNSPOILT]
"""Faults whose cause gives every number: of rounding and of noise it gives the size."""


def judged(trace: Trace, model: str, tmp_path: Path) -> Verdict:
    """By way of a file."""
    path = tmp_path / "trace.npz"
    write(trace, path)
    return check_trace(read(path), fs.network(model))


def ids(verdict: Verdict, name: str) -> list[str]:
    return [cause.id for stage in verdict.steps[-1].stages if stage.name == name for cause in stage.causes]


def differing(verdict: Verdict) -> list[tuple[int, str]]:
    return [(step.number, s.name) for step in verdict.steps for s in step.stages if s.status == DIFFERS]


def garbage(level: float, kind: str) -> fs.Hook:
    """Normal errors, of one size or in proportion to each entry."""

    def wrong(values: Any) -> np.ndarray:
        drawn = level * np.random.default_rng(99).normal(size=np.shape(values))
        size = np.sqrt(np.square(values).mean()) if kind == "added" else values
        return (values + size * drawn).astype(np.float32)

    return lambda s, result: (
        {n: wrong(v) for n, v in result.items()} if isinstance(result, dict) else wrong(result)
    )


@pytest.mark.parametrize("name", ["gradients", "norms", "clipped sum", "update"])
@pytest.mark.parametrize("kind", ["added", "multiplied"])
@pytest.mark.parametrize("level", [4e-4, 4e-3, 0.1, 1.0])
def test_garbage_is_not_explained(name: str, kind: str, level: float, tmp_path: Path) -> None:
    for model in ("mlp", "conv", "ws"):
        verdict = judged(fs.run(model, 3, {name: garbage(level, kind)}), model, tmp_path)
        assert differing(verdict) == [(2, name)]
        assert ids(verdict, name) == []


@pytest.mark.parametrize("power", [2, 3])
def test_noise_of_no_known_law_is_not_explained(power: int, tmp_path: Path) -> None:
    def wrong(s: Any, noise: Any) -> Any:
        return {n: s.nm * s.c * s.rng.normal(size=v.shape) ** power for n, v in noise.items()}

    verdict = judged(fs.run("conv", 2, {"noise": wrong}), "conv", tmp_path)
    assert differing(verdict) == [(2, "noise")]
    assert ids(verdict, "noise") == []


@pytest.mark.parametrize("fault", EXACT, ids=[f"{fault}-{place}" for place, fault in enumerate(EXACT)])
def test_fault_with_garbage_on_top_is_not_named(fault: Fault, tmp_path: Path) -> None:
    """On what the fault changes alone."""
    spoil = garbage(4e-3, "added")

    def hook(s: Any, result: Any) -> Any:
        wrong = fault.hook(s, result)
        spoilt = spoil(s, wrong)
        if not isinstance(wrong, dict):
            return spoilt
        return {n: v if np.array_equal(v, result[n]) else spoilt[n] for n, v in wrong.items()}

    verdict = judged(fs.run(fault.model, 1, {fault.stage: hook}, **fault.settings), fault.model, tmp_path)
    assert differing(verdict) == [(2, fault.stage)]
    assert ids(verdict, fault.stage) == []
