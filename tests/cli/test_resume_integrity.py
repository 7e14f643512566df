"""A run goes on only as it began: another configuration, other data or a lost checkpoint is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp.cli import run
from refdp.files import exclusive

TRAIN = ["train", "--dataset", "gaussian-clusters", "--epochs", "2", "--noise-multiplier", "1", "--quiet"]


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    assert run([*TRAIN, "--output", str(tmp_path / "a")]) == 0
    return tmp_path / "a"


def refused(path: Path, capsys: pytest.CaptureFixture[str], says: str) -> None:
    capsys.readouterr()
    before = {p.name: p.read_bytes() for p in path.iterdir() if p.is_file()}
    assert run(["train", "--output", str(path), "--resume", "--quiet"]) == 2
    error = capsys.readouterr().err
    assert says in error, error
    assert error.count("\n") == 1
    assert {p.name: p.read_bytes() for p in path.iterdir() if p.is_file()} == before


@pytest.mark.parametrize(
    ("key", "value"),
    [("noise_multiplier", 5.0), ("batch_size", 10), ("clip_norm", 9.0), ("epochs", 9), ("data_seed", 4)],
)
def test_an_edited_configuration(
    finished: Path, capsys: pytest.CaptureFixture[str], key: str, value: Any
) -> None:
    config = json.loads((finished / "config.json").read_text())
    (finished / "config.json").write_text(json.dumps({**config, key: value}))
    refused(finished, capsys, "changed since the checkpoint")


def test_other_training_data(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    import refdp.config as config_module
    from refdp.data.base import Split

    load = config_module.load

    def other(*arguments: Any) -> Any:
        data = load(*arguments)
        x = data.train.x.copy()
        x[0, 0] += 1
        return dataclasses.replace(data, train=Split(x, data.train.y))

    monkeypatch.setattr(config_module, "load", other)
    refused(finished, capsys, "training data changed")


def test_a_lost_checkpoint(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (finished / "checkpoint.npz").unlink()
    refused(finished, capsys, "checkpoint.npz is gone")


@pytest.mark.parametrize("lost", ["ledger.json", "change"])
def test_a_ledger_that_is_not_the_checkpoints(
    finished: Path, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    ledger = finished / "ledger.json"
    if lost == "change":
        ledger.write_text(ledger.read_text().replace('"count": 13', '"count": 12'))
    else:
        ledger.unlink()
    refused(finished, capsys, "not the ledger of its checkpoint")


@pytest.mark.parametrize("step", [np.array(-5), np.array(99), np.array(1.5), np.array([1, 2]), np.array("x")])
def test_an_impossible_step(finished: Path, capsys: pytest.CaptureFixture[str], step: np.ndarray) -> None:
    with np.load(finished / "checkpoint.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    np.savez(finished / "checkpoint.npz", **{**arrays, "step": step})
    refused(finished, capsys, "must be a whole number from 0 to 13")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"step,epoch\nx,1\n"])
def test_garbled_metrics(finished: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    (finished / "metrics.csv").write_bytes(content)
    capsys.readouterr()
    code = run(["train", "--output", str(finished), "--resume", "--quiet", "--json"])
    assert code == 2
    assert capsys.readouterr().err.startswith("refdp: error: ")


def test_rows_beyond_the_checkpoint_are_dropped(finished: Path) -> None:
    from refdp.run_directory import RunDirectory

    text = (finished / "metrics.csv").read_text()
    (finished / "metrics.csv").write_text(text + "99,9,0.5,1.0,1e-05\n")
    rows = RunDirectory(finished).read_metrics(13)
    assert [int(row["step"]) for row in rows] == [7, 13]
    assert len(list(csv.DictReader(text.splitlines()))) == 2


@pytest.mark.parametrize("sampling", ["poisson", "fixed-order"])
@pytest.mark.parametrize("write", ["write_ledger", "write_metrics", "write_checkpoint"])
def test_a_save_cut_off_between_its_files_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str, sampling: str
) -> None:
    from refdp.run_directory import RunDirectory

    options = [
        *TRAIN,
        "--seed",
        "3",
        "--sampling",
        sampling,
        "--schedule",
        "cosine:amplitude=0.3",
        "--epochs",
        "3",
    ]
    assert run([*options, "--output", str(tmp_path / "whole")]) == 0
    original, calls = getattr(RunDirectory, write), []

    def cut_off(self: Any, content: Any) -> None:
        calls.append(content)
        if len(calls) == 3:  # the first save is before any step
            raise KeyboardInterrupt
        original(self, content)

    monkeypatch.setattr(RunDirectory, write, cut_off)
    assert run([*options, "--output", str(tmp_path / "parts")]) == 130
    monkeypatch.setattr(RunDirectory, write, original)
    assert run(["train", "--output", str(tmp_path / "parts"), "--resume", "--quiet"]) == 0
    for name in ("metrics.csv", "ledger.json", "weights.npz"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes(), name


def test_two_processes_do_not_share_a_directory(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with exclusive(finished):
        refused(finished, capsys, "another process is at work there")


def test_the_weights_to_share_hold_no_secret(finished: Path) -> None:
    with np.load(finished / "weights.npz") as archive:
        names = {name: archive[name].shape for name in archive.files}
    assert names == {"fc1.weight": (64, 10), "fc1.bias": (64,), "fc2.weight": (5, 64), "fc2.bias": (5,)}


def test_a_sweep_does_not_go_on_with_other_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    options = [
        "--noise-multipliers",
        "1,3",
        "--clip-norms",
        "1",
        "--seeds",
        "1",
        "--epochs",
        "1",
        "--jobs",
        "1",
    ]
    assert run(["sweep", *options, "--output", str(path), "--quiet"]) == 0
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "data_sha256": "0" * 64}))
    capsys.readouterr()
    assert run(["sweep", "--output", str(path), "--resume"]) == 2
    assert "training data changed" in capsys.readouterr().err
