"""``epsilon`` through the command line."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pytest

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule, epsilon
from refdp.cli import run
from refdp.figures import lower_figure, upper_figure


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def poisson(noise: float | Schedule, rate: float, steps: int) -> Ledger:
    return Ledger("add-remove", (GaussianEvent(noise, Sampling("poisson", rate), steps),))


def test_epsilon_from_flags(capsys: pytest.CaptureFixture[str]) -> None:
    got = answer(capsys, "epsilon", "--noise-multiplier", "1.1", "--sample-rate", "0.01", "--steps", "500")
    want = epsilon(poisson(1.1, 0.01, 500), 1e-5)
    assert got["schema"] == "refdp-epsilon/1"
    assert got["epsilon"] == {"lower": want.lower, "upper": want.upper}
    assert got["rdp"]["conversion"] == "balle2020"
    assert got["delta"] == 1e-5
    assert got["neighboring"] == "add-remove"
    assert got["certified"] is False


@pytest.mark.parametrize("flags", [["--batch-size", "256", "--dataset-size", "60000", "--epochs", "5"]])
def test_epochs_are_rounded_up_to_steps(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    got = answer(capsys, "epsilon", "--noise-multiplier", "1.1", *flags)
    assert got["epsilon"]["upper"] == epsilon(poisson(1.1, 256 / 60000, 1172), 1e-5).upper
    assert got["steps"] == 1172
    assert "1172 steps" in _prose(capsys, "epsilon", "--noise-multiplier", "1.1", *flags)


def _prose(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    run(list(arguments))
    return capsys.readouterr().err


def test_a_decimal_rate_counts_epochs_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    assert "30 steps" in _prose(
        capsys, "epsilon", "--noise-multiplier", "1", "--sample-rate", "0.1", "--epochs", "3"
    )


@pytest.mark.parametrize(
    ("arguments", "lower", "upper"),
    [
        (["--noise-multiplier", "0", "--sample-rate", "0.1", "--steps", "10"], "inf", "inf"),
        (["--noise-multiplier", "1", "--sample-rate", "0", "--steps", "10"], 0.0, 0.0),
        (["--noise-multiplier", "1", "--sample-rate", "0.1", "--steps", "0"], 0.0, 0.0),
        (["--noise-multiplier", "0", "--sampling", "fixed-order", "--epochs", "0"], 0.0, 0.0),
    ],
)
def test_zeros_are_decided(
    arguments: list[str], lower: Any, upper: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, "epsilon", *arguments)["epsilon"] == {"lower": lower, "upper": upper}


def test_samplers_without_amplification(capsys: pytest.CaptureFixture[str]) -> None:
    """s1's own setting: 20 unsampled steps; values by mpmath at 50 digits of the analytic Gaussian."""
    for neighboring, value in (("zero-out", 11.480022809172567), ("replace-one", 28.373473803257383)):
        flags = ["--noise-multiplier", "2", "--epochs", "20", "--neighboring", neighboring]
        fixed = answer(capsys, "epsilon", "--sampling", "fixed-order", *flags)["epsilon"]
        assert fixed["lower"] <= value <= fixed["upper"]
        assert fixed["upper"] - fixed["lower"] < 1e-9
        shuffled = answer(capsys, "epsilon", "--sampling", "shuffle", *flags)["epsilon"]
        assert shuffled["lower"] is None
        assert shuffled["upper"] == pytest.approx(fixed["upper"], rel=1e-12)
    full = answer(capsys, "epsilon", "--sampling", "full-batch", "--steps", "20", "--noise-multiplier", "2")
    assert full["epsilon"]["lower"] <= 11.480022809172567 <= full["epsilon"]["upper"]


def test_ledger_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ledger = poisson(Schedule("cosine", 100, 1.0, {"amplitude": 0.25}), 0.01, 60)
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(ledger.to_json()))
    got = answer(capsys, "epsilon", "--ledger", str(path), "--delta", "1e-6")
    assert got["epsilon"]["upper"] == epsilon(ledger, 1e-6).upper


def test_cases_answer_every_line_in_order(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = poisson(1.0, 0.01, 100).to_json()
    lines = [
        {**good, "delta": 1e-5},
        {**good, "epsilon": 1.0},
        {**good, "delta": 2},
        {**good, "delta": 1e-6},
        {**good, "events": [{"mechanism": "laplace"}], "delta": 1e-5},
        good,
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\nnot json\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert run(["epsilon", "--cases", "-"]) == 2
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [("error" in a) for a in answers] == [False, False, True, False, True, True, True]
    assert answers[0]["epsilon"]["upper"] < answers[3]["epsilon"]["upper"]
    assert 0 < answers[1]["delta"]["upper"] < 1
    assert "delta = 2" in answers[2]["error"]
    assert "laplace" in answers[4]["error"]
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(lines[0])))
    assert run(["epsilon", "--cases", "-"]) == 0


def test_text_answers_name_their_sides(capsys: pytest.CaptureFixture[str]) -> None:
    run(["epsilon", "--noise-multiplier", "1", "--sample-rate", "0.01", "--steps", "100"])
    text = capsys.readouterr().out
    assert "upper bound" in text
    assert "lower bound" in text
    assert "balle2020" in text
    assert "by PLD" in text
    assert "what may be claimed; by PLD" in text


def test_figures_round_outwards() -> None:
    for value in (2.9999999, 1 / 3, 1e-9, 123456789.5, 0.85296499):
        assert float(lower_figure(value)) <= value <= float(upper_figure(value))
    assert upper_figure(3.0) == "3"
    assert upper_figure(math.inf) == "inf"
    assert lower_figure(None) == "unknown"
    assert upper_figure(3.0000001) == "3.00001"


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert run(["--help"]) == 0
    for command in ("epsilon", "delta", "calibrate", "train", "sweep", "data"):
        assert run([command, "--help"]) == 0
        assert "--json" in capsys.readouterr().out or command == "data"
    assert run([]) == 2
