"""``train``: a run, its directory, and resuming it to the bit."""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp.accounting import Ledger, epsilon
from refdp.cli import run

QUICK = ["train", "--dataset", "gaussian-clusters", "--epochs", "6", "--batch-size", "50"]


def train(path: Path, *more: str, code: int = 0) -> int:
    got = run([*QUICK, "--output", str(path), "--quiet", *more])
    assert got == code
    return got


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((path / "metrics.csv").read_text().splitlines()))


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path / "checkpoint.npz") as archive:
        return {name: archive[name] for name in archive.files}


def test_a_run_at_a_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run"
    train(path, "--target-epsilon", "3", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert {"test_accuracy", "epsilon", "delta", "steps", "noise_multiplier", "seconds", "output"} <= set(
        answer
    )
    assert 0 <= answer["test_accuracy"] <= 1
    assert answer["epsilon"]["lower"] <= answer["epsilon"]["upper"] <= 3
    assert answer["steps"] == 48
    ledger = Ledger.from_json((path / "ledger.json").read_text())
    assert epsilon(ledger, 1e-5).upper == answer["epsilon"]["upper"]
    names = {"config.json", "ledger.json", "metrics.csv", "checkpoint.npz", "environment.json", "weights.npz"}
    assert set(os.listdir(path)) - {".lock"} == names
    assert stat.S_IMODE((path / "checkpoint.npz").stat().st_mode) == 0o600
    rows = rows_of(path)
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    spent = [float(row["epsilon_upper"]) for row in rows]
    assert spent == sorted(spent)
    assert spent[-1] <= 3
    assert float(rows[-1]["test_accuracy"]) == answer["test_accuracy"]


def test_the_statement_says_what_is_and_is_not_covered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path / "a", "--noise-multiplier", "1", "--seed", "3")
    text = capsys.readouterr().out
    for part in (
        "unit",
        "add-remove",
        "poisson",
        "delta = 1e-05",
        "<= epsilon <=",
        "test records",
        "seed",
        "choosing",
    ):
        assert part in text, part
    train(tmp_path / "b", "--noise-multiplier", "1", "--sampling", "shuffle")
    text = capsys.readouterr().out
    assert "NO privacy amplification" in text
    assert "unknown <= epsilon" in text
    assert "knows the seed" not in text
    train(tmp_path / "c", "--noise-multiplier", "0")
    assert "NOT PRIVATE" in capsys.readouterr().out


def test_private_metrics_only_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "a", "--noise-multiplier", "1", "--seed", "1")
    assert "loss" not in (tmp_path / "a" / "metrics.csv").read_text()
    assert "loss" not in "".join(capsys.readouterr()).lower()
    train(tmp_path / "b", "--noise-multiplier", "1", "--seed", "1", "--show-private-metrics")
    assert "NOT_PRIVATE_train_loss" in (tmp_path / "b" / "metrics.csv").read_text()
    assert "NOT private" in capsys.readouterr().out
    loud = [*QUICK, "--output", str(tmp_path / "c"), "--noise-multiplier", "1", "--show-private-metrics"]
    assert run(loud) == 0
    assert "NOT PRIVATE train loss" in capsys.readouterr().err
    a, b = (arrays_of(tmp_path / d)["theta"] for d in "ab")
    np.testing.assert_array_equal(a, b)


def test_the_seed_decides_everything_and_no_seed_means_fresh_entropy(tmp_path: Path) -> None:
    for name, seed in (("a", ["--seed", "5"]), ("b", ["--seed", "5"]), ("c", []), ("d", [])):
        train(tmp_path / name, "--noise-multiplier", "1", *seed)
    theta = {d: arrays_of(tmp_path / d)["theta"] for d in "abcd"}
    np.testing.assert_array_equal(theta["a"], theta["b"])
    assert not np.array_equal(theta["c"], theta["d"])
    assert json.loads((tmp_path / "c" / "config.json").read_text())["seed"] is None
    root = arrays_of(tmp_path / "c")["root"]
    assert str(int.from_bytes(root.tobytes(), "little")) not in (tmp_path / "c" / "config.json").read_text()


def test_a_used_directory_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "precious").write_text("x")
    train(tmp_path, "--noise-multiplier", "1", code=2)
    assert "not empty" in capsys.readouterr().err
    train(tmp_path / "precious", "--noise-multiplier", "1", code=2)


class Interrupted(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize("seed", [["--seed", "9"], []])
def test_resume_is_exact_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: list[str]) -> None:
    import refdp.training as training
    from refdp.rng import Streams

    options = ["--target-epsilon", "3", "--optimizer", "sgd:momentum=0.9", "--lr-schedule", "cosine", *seed]
    if not seed:  # the same fresh entropy for both runs, so that they can be compared
        monkeypatch.setattr(Streams, "from_seed", classmethod(lambda cls, seed: cls(2**100 + 7, False)))
    train(tmp_path / "whole", *options)
    saved = training.save

    def crash(trainer: Any, directory: Any, rows: list[Any]) -> None:
        saved(trainer, directory, rows)
        if trainer.step == 24:
            raise Interrupted

    monkeypatch.setattr(training, "save", crash)
    with pytest.raises(Interrupted):
        train(tmp_path / "parts", *options)
    monkeypatch.setattr(training, "save", saved)
    if not seed:
        monkeypatch.setattr(Streams, "from_seed", classmethod(lambda cls, seed: cls(1, False)))
    half = Ledger.from_json((tmp_path / "parts" / "ledger.json").read_text())
    assert half.events[0].count == 24
    assert run(["train", "--output", str(tmp_path / "parts"), "--resume", "--quiet"]) == 0
    for name in ("metrics.csv", "ledger.json", "config.json"):
        assert (tmp_path / "whole" / name).read_text() == (tmp_path / "parts" / name).read_text(), name
    a, b = (arrays_of(tmp_path / d) for d in ("whole", "parts"))
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_a_killed_process_resumes(tmp_path: Path) -> None:
    """kill -9 in the middle; what is there afterwards is whole, and goes on to the same end."""
    path = tmp_path / "run"
    command = [sys.executable, "-c", "from refdp.cli import main; main()"]
    options = [
        "train",
        "--dataset",
        "gaussian-clusters",
        "--noise-multiplier",
        "1",
        "--epochs",
        "150",
        "--seed",
        "2",
    ]
    process = subprocess.Popen(
        [*command, *options, "--output", str(path), "--quiet"], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        metrics = path / "metrics.csv"
        if metrics.exists() and len(metrics.read_text().splitlines()) > 4:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for name in ("config.json", "ledger.json"):
        json.loads((path / name).read_text())
    assert run(["train", "--output", str(path), "--resume", "--quiet"]) == 0
    rows = rows_of(path)
    assert [int(row["epoch"]) for row in rows] == list(range(1, 151))


def test_resuming_a_finished_run_only_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(tmp_path / "a", "--noise-multiplier", "1", "--json")
    first = json.loads(capsys.readouterr().out)
    assert run(["train", "--output", str(tmp_path / "a"), "--resume", "--json", "--quiet"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


@pytest.mark.parametrize(
    "more",
    [
        ["--epochs", "7"],
        ["--clip-norm", "2"],
        ["--target-epsilon", "1"],
        ["--seed", "4"],
        ["--model", "mlp:hidden=3"],
    ],
)
def test_resume_refuses_other_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    train(tmp_path / "a", "--noise-multiplier", "1", "--seed", "3")
    capsys.readouterr()
    assert run(["train", "--output", str(tmp_path / "a"), "--resume", *more]) == 2
    assert "the run to resume was made with" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["truncate", "remove-config", "garble-config", "other-model"])
def test_a_damaged_run_directory_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    path = tmp_path / "a"
    train(path, "--noise-multiplier", "1")
    checkpoint, config = path / "checkpoint.npz", path / "config.json"
    if damage == "truncate":
        checkpoint.write_bytes(checkpoint.read_bytes()[:300])
    elif damage == "remove-config":
        config.unlink()
    elif damage == "garble-config":
        config.write_text(config.read_text()[:-20])
    else:
        config.write_text(config.read_text().replace('"mlp"', '"mlp:hidden=5"'))
    capsys.readouterr()
    assert run(["train", "--output", str(path), "--resume"]) == 2
    assert capsys.readouterr().err.startswith("refdp: error: ")


@pytest.mark.parametrize("sampling", ["poisson", "shuffle", "fixed-order"])
@pytest.mark.parametrize(
    "schedule", ["constant", "cosine:amplitude=0.4", "cosine:amplitude=-0.4,normalise=harmonic"]
)
def test_every_sampler_and_schedule_keeps_its_budget(tmp_path: Path, sampling: str, schedule: str) -> None:
    train(
        tmp_path / "a",
        "--target-epsilon",
        "5",
        "--sampling",
        sampling,
        "--schedule",
        schedule,
        "--epochs",
        "3",
    )
    ledger = Ledger.from_json((tmp_path / "a" / "ledger.json").read_text())
    upper = epsilon(ledger, 1e-5).upper
    assert 4.99 < upper <= 5


def test_cupy_missing_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    train(tmp_path / "a", "--noise-multiplier", "1", "--backend", "cupy", code=2)
    assert "refdp[cuda12]" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
