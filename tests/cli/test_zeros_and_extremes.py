"""What must be refused, decided or borne: through the command line and in Python alike."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest

from refdp.accounting import AccountingError, GaussianEvent, Ledger, Sampling, epsilon
from refdp.cli import run

RUN = {"--noise-multiplier": "1", "--sample-rate": "0.1", "--steps": "10", "--delta": "1e-5"}


def python(noise: float, rate: float, steps: Any, delta: float) -> Any:
    return epsilon(Ledger("add-remove", (GaussianEvent(noise, Sampling("poisson", rate), steps),)), delta)


def flags(**changes: str) -> list[str]:
    options = RUN | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return [part for pair in options.items() for part in pair]


def command(capsys: pytest.CaptureFixture[str], **changes: str) -> Any:
    assert run(["epsilon", *flags(**changes), "--json", "--quiet"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("noise_multiplier", "nan", "finite and >= 0"),
        ("noise_multiplier", "inf", "finite and >= 0"),
        ("noise_multiplier", "-1", "finite and >= 0"),
        ("sample_rate", "nan", "in [0, 1]"),
        ("sample_rate", "-0.1", "in [0, 1]"),
        ("sample_rate", "1.1", "in [0, 1]"),
        ("steps", "-5", "whole number"),
        ("steps", "2.5", "whole number"),
        ("steps", "nan", "whole number"),
        ("delta", "0", "> 0 and < 1"),
        ("delta", "1", "> 0 and < 1"),
        ("delta", "2", "> 0 and < 1"),
        ("delta", "-1e-5", "> 0 and < 1"),
        ("delta", "nan", "> 0 and < 1"),
    ],
)
def test_refused(name: str, value: str, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["epsilon", *flags(**{name: value})]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("refdp: error: ")
    assert err.count("\n") == 1
    assert rule in err
    numbers: dict[str, Any] = {"noise_multiplier": 1.0, "sample_rate": 0.1, "steps": 10, "delta": 1e-5}
    numbers[name] = float(value)
    with pytest.raises(AccountingError):
        python(*numbers.values())


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"noise_multiplier": "0"}, math.inf),
        ({"sample_rate": "0"}, 0.0),
        ({"steps": "0"}, 0.0),
        ({"sample_rate": "0", "noise_multiplier": "0"}, 0.0),
        ({"steps": "0", "noise_multiplier": "0"}, 0.0),
    ],
)
def test_zeros_are_decided(
    changes: dict[str, str], wanted: float, capsys: pytest.CaptureFixture[str]
) -> None:
    got = command(capsys, **changes)
    shown = "inf" if wanted == math.inf else wanted
    assert got["epsilon"] == {"lower": shown, "upper": shown}
    if wanted == math.inf:
        assert any("without noise" in note for note in got["notes"])
    numbers = {"noise_multiplier": 1.0, "sample_rate": 0.1, "steps": 10} | {
        k: float(v) for k, v in changes.items()
    }
    bounds = python(numbers["noise_multiplier"], numbers["sample_rate"], int(numbers["steps"]), 1e-5)
    assert (bounds.lower, bounds.upper) == (wanted, wanted)


@pytest.mark.parametrize("name", ["epsilon", "delta"])
def test_an_empty_ledger_costs_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(Ledger().to_json())))
    more = ["--epsilon", "1"] if name == "delta" else []
    assert run([name, "--ledger", "-", "--json", *more]) == 0
    assert json.loads(capsys.readouterr().out)[name] == {"lower": 0.0, "upper": 0.0}


def test_an_unknown_event_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document = Ledger().to_json() | {"events": [{"mechanism": "laplace", "noise_multiplier": 1.0}]}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
    assert run(["epsilon", "--ledger", "-"]) == 2
    assert "'laplace' is not supported" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes",
    [
        {"delta": "1e-300"},
        {"delta": "0.999999"},
        {"steps": "1000000000", "noise_multiplier": "1000", "sample_rate": "0.001"},
        {"steps": "1000000000", "noise_multiplier": "1", "sample_rate": "1e-9"},
        {"noise_multiplier": "0.005"},
        {"noise_multiplier": "0.005", "steps": "1000000000", "sample_rate": "1"},
        {"noise_multiplier": "1e6"},
        {"noise_multiplier": "1e6", "sample_rate": "1", "steps": "1"},
        {"sample_rate": "1e-9"},
        {"sample_rate": "1"},
        {"sample_rate": "1", "noise_multiplier": "0.005", "delta": "1e-300"},
    ],
)
def test_extremes_are_answered(changes: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    got = command(capsys, **changes)
    low, high = got["epsilon"]["lower"], got["epsilon"]["upper"]
    assert 0 <= low <= high < math.inf
    assert got["rdp"] is None or got["rdp"]["upper"] >= low
    assert run(["delta", "--epsilon", "1", *flags(**changes)[:-2], "--json", "--quiet"]) == 0
    back = json.loads(capsys.readouterr().out)["delta"]
    assert 0 <= (back["lower"] or 0.0) <= back["upper"] <= 1


def test_one_bad_case_among_good_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"mechanism": "gaussian", "noise_multiplier": 0.0, "sampling": {"scheme": "poisson", "rate": 0.1}}
    good = Ledger().to_json() | {"events": [event], "delta": 1e-5}
    bad = good | {"events": [event | {"count": 2.5}]}
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(json.dumps(line) for line in (good, bad, good))))
    assert run(["epsilon", "--cases", "-"]) == 2
    first, second, third = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == third
    assert first["epsilon"] == {"lower": "inf", "upper": "inf"}
    assert "count = 2.5" in second["error"]
