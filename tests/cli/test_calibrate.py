"""``calibrate`` through the command line: what is solved for keeps the target when it is put back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from refdp.cli import run
from refdp.schema import check_schema

RATE = ["--sample-rate", "0.01"]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json", "--quiet"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run([*arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_a_multiplier(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--sample-rate", str(256 / 60000), "--steps", "1170"]
    got = answer(capsys, "calibrate", "--target-epsilon", "3", *flags)
    check_schema("calibration", got, "answer")
    assert got["noise_multiplier"] == pytest.approx(0.65073, abs=2e-5)
    assert got["rdp_noise_multiplier"] == pytest.approx(0.70228, abs=2e-5)
    assert got["epsilon"]["upper"] <= 3
    assert got["slack"] == 3 - got["epsilon"]["upper"]
    again = answer(capsys, "epsilon", "--noise-multiplier", repr(got["noise_multiplier"]), *flags)
    assert again["epsilon"] == got["epsilon"]


def test_a_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    flags = [*RATE, "--steps", "60", "--schedule", "cosine:amplitude=0.25"]
    got = answer(capsys, "calibrate", "--target-epsilon", "2", *flags)
    check_schema("calibration", got, "answer")
    assert got["epsilon"]["upper"] <= 2
    assert "noise_multiplier" not in got
    again = answer(capsys, "epsilon", "--noise-multiplier", repr(got["scale"]), *flags)
    assert again["epsilon"] == got["epsilon"]


def test_without_amplification(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--sampling", "shuffle", "--batch-size", "256", "--dataset-size", "60000", "--epochs", "5"]
    got = answer(capsys, "calibrate", "--target-epsilon", "3", *flags)
    assert got["epsilon"]["upper"] <= 3
    assert got["noise_multiplier"] > 2


def test_steps(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--noise-multiplier", "1", *RATE]
    got = answer(capsys, "calibrate", "--target-epsilon", "2", "--solve-for", "steps", *flags)
    check_schema("calibration", got, "answer")
    assert isinstance(got["steps"], int)
    for more, keeps in ((0, True), (1, False)):
        again = answer(capsys, "epsilon", *flags, "--steps", str(got["steps"] + more))
        assert (again["epsilon"]["upper"] <= 2) is keeps


def test_sample_rate(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--noise-multiplier", "1", "--steps", "100"]
    got = answer(capsys, "calibrate", "--target-epsilon", "2", "--solve-for", "sample-rate", *flags)
    check_schema("calibration", got, "answer")
    again = answer(capsys, "epsilon", *flags, "--sample-rate", repr(got["sample_rate"]))
    assert again["epsilon"] == got["epsilon"]
    assert got["epsilon"]["upper"] <= 2


def test_delta(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--noise-multiplier", "1", *RATE, "--steps", "100"]
    got = answer(capsys, "calibrate", "--target-epsilon", "2", "--solve-for", "delta", *flags)
    check_schema("calibration", got, "answer")
    again = answer(capsys, "epsilon", *flags, "--delta", repr(got["delta"]))
    assert again["epsilon"] == got["epsilon"]
    back = answer(capsys, "delta", "--epsilon", "2", *flags)
    assert back["delta"]["upper"] == pytest.approx(got["delta"], rel=1e-9)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--noise-multiplier", "1", *RATE, "--steps", "5"], "is what is solved for"),
        (["--solve-for", "steps", *RATE], "is needed to solve for steps"),
        (["--solve-for", "steps", "--noise-multiplier", "1", *RATE, "--steps", "5"], "leave them out"),
        (["--solve-for", "steps", "--noise-multiplier", "1", "--sample-rate", "0"], "any number of steps"),
        (["--solve-for", "steps", "--noise-multiplier", "0", *RATE], "one step alone costs up to inf"),
        (["--solve-for", "steps", "--noise-multiplier", "1", "--sampling", "shuffle"], "--batch-size"),
        (["--solve-for", "sample-rate", "--noise-multiplier", "1", *RATE, "--steps", "5"], "no sizes"),
        (["--solve-for", "sample-rate", "--noise-multiplier", "1", "--epochs", "5"], "--steps >= 1"),
        (["--solve-for", "sample-rate", "--noise-multiplier", "0", "--steps", "5"], "no sample rate"),
        (["--solve-for", "delta", "--noise-multiplier", "1", *RATE, "--steps", "0"], "nothing is released"),
        (["--solve-for", "delta", "--noise-multiplier", "0", *RATE, "--steps", "5"], "no delta below 1"),
        (
            ["--solve-for", "delta", "--noise-multiplier", "1", *RATE, "--steps", "5", "--delta", "0.1"],
            "--delta",
        ),
        (["--solve-for", "epochs", *RATE], "--solve-for"),
        ([*RATE, "--steps", "0"], "nothing is released"),
        (["--sampling", "balls-and-bins", "--epochs", "0", "--bins", "5"], "nothing is released"),
    ],
)
def test_refusals(flags: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refusal(capsys, "calibrate", "--target-epsilon", "2", *flags)


def test_text_says_what_rdp_would_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "--target-epsilon", "2", *RATE, "--steps", "100"]) == 0
    text = capsys.readouterr().out
    assert "left of the target 2" in text
    assert "RDP alone" in text
    assert "% more noise" in text
