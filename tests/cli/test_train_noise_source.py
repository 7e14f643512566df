"""``train --noise-source``: resumes to the bit, refuses a seed, and the statement says which it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import refdp.cli.train  # noqa: F401  (bound before anything is patched)
from refdp.cli import run

RUN = ["train", "--dataset", "gaussian-clusters", "--epochs", "2", "--noise-multiplier", "2"]


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path / "checkpoint.npz") as stored:
        return dict(stored)


def test_resumes_to_the_bit_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("randomgen", reason="needs refdp[secure]")
    import refdp.training as training

    path = tmp_path / "run"
    options = [*RUN, "--noise-source", "secure", "--output", str(path)]

    class Interrupted(Exception):
        pass

    save, saved = training.save, []

    def stop(trainer, directory, rows):  # type: ignore[no-untyped-def]
        save(trainer, directory, rows)
        saved.append(trainer)
        raise Interrupted

    monkeypatch.setattr(training, "save", stop)
    with pytest.raises(Interrupted):
        run(options)
    monkeypatch.undo()
    trainer = saved[0]
    while trainer.step < trainer.plan.steps:
        trainer.advance()
    assert run(["train", "--output", str(path), "--resume"]) == 0
    assert "not a cryptographic" not in capsys.readouterr().out
    np.testing.assert_array_equal(arrays_of(path)["theta"], trainer.theta)
    assert run(["train", "--output", str(path), "--resume", "--noise-source", "reproducible"]) == 2
    assert (
        "--noise-source 'reproducible': the run to resume was made with 'secure'" in capsys.readouterr().err
    )


def test_a_seed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run"
    assert run([*RUN, "--noise-source", "secure", "--seed", "1", "--output", str(path)]) == 2
    assert "seed = 1: a known seed undoes noise_source = 'secure'" in capsys.readouterr().err
    assert not path.exists()


def test_the_reproducible_source_says_what_it_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*RUN, "--output", str(tmp_path / "run")]) == 0
    assert "the generator is not a cryptographic one" in capsys.readouterr().out
