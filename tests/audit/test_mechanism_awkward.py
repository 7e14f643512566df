"""Subjects that hang, die, print, resist freezing; and bad usage: one line each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mechanism_helpers import audited, subject

from refdp.audit.mechanism import Settings
from refdp.audit.mechanism.bench import Bench, Call
from refdp.cli import run
from refdp.errors import RefDPError


def test_a_subject_sees_neither_our_environment_nor_our_stdout(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REFDP_SECRET", "1")
    found = audited("awkward:Talks", seconds=0.1)
    assert found.verdict == "nothing found"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["RemembersBatches", "CountsOnClass"])
def test_no_run_sees_what_another_left_in_the_module_or_the_class(name: str) -> None:
    file, cls = subject(f"awkward:{name}").rsplit(":", 1)
    batch = [np.zeros((2, 3))]
    with Bench(Path(file), cls, Settings(), memory=4 << 30) as bench:
        first, second = bench.play([([Call(batch), Call(batch, 1)], [1])] * 2)
    for a, b in zip(first[0], second[0], strict=True):
        assert a.output is not None
        assert np.array_equal(a.output, b.output)  # type: ignore[arg-type]
    assert first[0][1].output is not None
    assert (first[0][1].output > 0.1).all()


def test_noise_that_cannot_be_frozen_is_averaged_away() -> None:
    right, wrong = (audited(f"awkward:{name}", seconds=0.4) for name in ("NotFrozen", "NotFrozenTwice"))
    assert (right.verdict, wrong.verdict) == ("nothing found", "violated")
    assert not right.frozen
    assert "could not be frozen" in right.notes[0]
    assert 1.2 < wrong.factor <= 2


def test_a_process_that_ends_for_one_record_is_a_violation() -> None:
    found = audited("awkward:DiesOnNaN", seconds=0.3)
    assert [one.check for one in found.findings] == ["failure"]
    assert "ended with exit code 9" in found.findings[0].what


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Hangs", "no answer after 1 s"),
        ("Raises", "RuntimeError: not today"),
        ("Eats", "MemoryError"),
        ("NoMethod", "has no method clip_and_noise"),
        ("Missing", "no class 'Missing'"),
    ],
)
def test_a_subject_that_does_not_run_is_said_so(name: str, says: str) -> None:
    with pytest.raises(RefDPError, match=says) as error:
        audited(f"awkward:{name}", timeout=1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "is missing"),
        (["nothing.py:Class"], "no such file"),
        (["nothing.py"], "must be FILE.py:CLASS"),
        ([subject("correct:Flat"), "--divisor", "realised", "--neighboring", "add-remove"], "zero-out"),
        (["--replay", "nothing.npz"], "cannot be read"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "mechanism", *arguments]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
    assert said.err.count("\n") == 1


def test_what_is_no_counterexample_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.ones(1))
    assert run(["audit", "mechanism", "--replay", str(path)]) == 2
    path.write_bytes(b"no archive")
    assert run(["audit", "mechanism", "--replay", str(path)]) == 2
    assert "no counterexample" in capsys.readouterr().err
