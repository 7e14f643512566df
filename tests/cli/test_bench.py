"""``bench step``: what it answers, what it times, what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from strict_backend import strict_backend

from refdp.backend import numpy_backend
from refdp.bench import step as bench_step
from refdp.cli import run
from refdp.engine import Trainer
from refdp.models import models
from refdp.models.shapes import NATURAL
from refdp.schema import check_schema

Capture = pytest.CaptureFixture[str]
SHORT = ["bench", "step", "--seconds", "0.01"]


def answer(capsys: Capture, *arguments: str) -> dict[str, Any]:
    assert run([*SHORT, *arguments, "--json"]) == 0, capsys.readouterr().err
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    check_schema("bench", document, "answer")
    return document


def test_the_answer(capsys: Capture) -> None:
    got = answer(capsys, "--model", "mlp:hidden=8", "--batch-size", "32", "--per-sample", "auto")
    assert (got["model"], got["batch_size"], got["per_sample"]) == ("mlp:hidden=8", 32, "auto")
    assert (got["backend"], got["clipping"], got["device_memory_bytes"]) == ("numpy", "flat", None)
    assert got["best_samples_per_second"] >= got["samples_per_second"] > 0
    assert got["seconds"] >= 0.01
    assert got["peak_memory_bytes"] >= got["memory_before_bytes"] > 2**20


@pytest.mark.parametrize(
    ("asked", "used"),
    [("auto", "hybrid"), ("explicit", "explicit"), ("ghost", "ghost"), ("hybrid", "hybrid")],
)
def test_modes(capsys: Capture, asked: str, used: str) -> None:
    got = answer(capsys, "--model", "mnistnet", "--batch-size", "3", "--per-sample", asked)
    assert (got["per_sample"], got["per_sample_used"]) == (asked, used)


@pytest.mark.parametrize("clipping", ["quantile", "dynamic", "per-layer"])
def test_other_rules(capsys: Capture, clipping: str) -> None:
    got = answer(capsys, "--model", "mlp", "--batch-size", "9", "--clipping", clipping)
    assert got["clipping"] == clipping


def test_every_model_has_a_shape_that_it_takes() -> None:
    assert set(NATURAL) == set(models.names())
    for name, (shape, classes) in NATURAL.items():
        assert models.create(name).build(shape, classes).size > 0


def test_a_whole_step_is_what_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every timed step is the engine's own, on the whole batch, and more of them than the plan has are fine."""
    monkeypatch.setattr(bench_step, "_STEPS", 3)
    sizes, advance, summed = [], Trainer.advance, Trainer.summed
    monkeypatch.setattr(Trainer, "summed", lambda s, rows: sizes.append(len(rows)) or summed(s, rows))
    steps = []
    monkeypatch.setattr(Trainer, "advance", lambda s: steps.append(s.step) or advance(s))
    found = bench_step.measure("mlp", 20, numpy_backend(), 0.02, physical_batch_size=7)
    assert found.chunk == 7
    assert set(sizes) == {20}
    assert len(steps) == len(sizes) == len(found.seconds) + bench_step.WARM_UP
    assert steps == [k % 3 for k in range(len(steps))]


def test_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory pool is asked, and each step is waited for."""
    backend = strict_backend()
    pool = SimpleNamespace(total_bytes=lambda: 12345)
    monkeypatch.setattr(backend.xp, "get_default_memory_pool", lambda: pool, raising=False)
    found = bench_step.measure("mlp", 20, backend, 0.01)
    assert found.device_memory_bytes == 12345
    assert backend.xp.reads == len(found.seconds) + bench_step.WARM_UP


def test_weights_move() -> None:
    run = bench_step.trainer("mlp", 20, numpy_backend(), "flat")
    before = run.theta.copy()
    run.advance()
    assert not np.array_equal(before, run.theta)


def test_memory_is_of_the_work_and_not_of_who_started_it() -> None:
    """A starter with 400 MiB does not show; 200 MiB of the process itself, freed since, do."""
    block = np.ones(400 * 2**17)
    code = (
        "import numpy as np; from refdp.bench.memory import peak_memory_bytes as peak; a = peak(); "
        "block = np.ones(200 * 2**17); del block; print(a, peak())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    del block
    assert before < 300 * 2**20
    assert after - before > 190 * 2**20


def test_text_and_quiet(capsys: Capture) -> None:
    assert run([*SHORT, "--model", "mlp", "--batch-size", "4"]) == 0
    out, err = capsys.readouterr()
    assert "samples/s" in out
    assert "peak memory" in out
    assert "warming up" in err
    assert run([*SHORT, "--model", "mlp", "--batch-size", "4", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--per-sample", "other"], "'other' is not one of"),
        (["--model", "nope"], "model = 'nope': has no natural data shape"),
        (["--model", "mlp:hidden=0"], "hidden = 0"),
        (["--batch-size", "0"], "'0' must be a whole number from 1"),
        (["--seconds", "nan"], "'nan' must be from 0.01"),
        (["--clipping", "nope"], "unknown clipping 'nope'"),
    ],
)
def test_refusals(capsys: Capture, arguments: list[str], says: str) -> None:
    assert run([*SHORT, *arguments, "--quiet"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
