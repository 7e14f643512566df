"""``delta``, and what ``epsilon`` and ``delta`` share: samplers, accountants, conversions, pictures, certificates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from refdp.accounting import GaussianEvent, Ledger, Sampling, delta, epsilon
from refdp.cli import run
from refdp.schema import check_schema

POISSON = ["--noise-multiplier", "1.1", "--sample-rate", "0.01", "--steps", "100"]
SIZES = ["--batch-size", "10", "--dataset-size", "1000"]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert run([*arguments, "--json", "--quiet"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run([*arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_delta(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ledger = Ledger("add-remove", (GaussianEvent(1.1, Sampling("poisson", 0.01), 100),))
    want = delta(ledger, 1.0)
    got = answer(capsys, "delta", "--epsilon", "1", *POISSON)
    check_schema("delta", got, "answer")
    assert got["delta"] == {"lower": want.lower, "upper": want.upper}
    assert got["steps"] == 100
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(ledger.to_json()))
    again = answer(capsys, "delta", "--epsilon", "1", "--ledger", str(path))
    assert again["delta"] == got["delta"]
    assert "delta at epsilon = 1.0" in _text(capsys, "delta", "--epsilon", "1", *POISSON)
    assert "--epsilon" in refusal(capsys, "delta", *POISSON)
    for bad in ("nan", "inf", "-1", "x"):
        assert "finite and >= 0" in refusal(capsys, "delta", "--epsilon", bad, *POISSON)


def _text(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "relation", "sampling", "count"),
    [
        (
            ["--sampling", "without-replacement", *SIZES, "--epochs", "2"],
            "replace-one",
            Sampling("without-replacement", dataset_size=1000, batch_size=10),
            200,
        ),
        (
            ["--sampling", "truncated-poisson", *SIZES, "--max-batch-size", "20", "--steps", "5"],
            "add-remove",
            Sampling("truncated-poisson", rate=0.01, dataset_size=1000, max_batch_size=20),
            5,
        ),
        (
            ["--sampling", "balls-and-bins", "--bins", "20", "--epochs", "3"],
            "add-remove",
            Sampling("balls-and-bins", bins=20, epochs=3),
            1,
        ),
        (
            ["--sampling", "fixed-order", "--epochs", "3", "--neighboring", "replace-one"],
            "replace-one",
            Sampling("fixed-order", epochs=3),
            1,
        ),
    ],
)
def test_every_sampler(
    flags: list[str], relation: str, sampling: Sampling, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    want = epsilon(Ledger(relation, (GaussianEvent(2.0, sampling, count),)), 1e-5)
    got = answer(capsys, "epsilon", "--noise-multiplier", "2", *flags)
    check_schema("epsilon", got, "answer")
    assert got["neighboring"] == relation
    assert got["epsilon"] == {"lower": want.lower, "upper": want.upper}


def test_groups(capsys: pytest.CaptureFixture[str]) -> None:
    want = epsilon(Ledger("add-remove", (GaussianEvent(1.1, Sampling("poisson", 0.01), 100),), 3), 1e-5)
    assert answer(capsys, "epsilon", *POISSON, "--group-size", "3")["epsilon"]["upper"] == want.upper


@pytest.mark.parametrize(
    "schedule", ["linear:start=1,end=.5", "exponential:start=1,end=.5", "step:factor=.9,every=2"]
)
def test_schedules(schedule: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--noise-multiplier", "1.5", "--sample-rate", "0.1", "--epochs", "6", "--schedule", schedule]
    got = answer(capsys, "epsilon", *flags)
    constant = answer(capsys, "epsilon", *flags, "--schedule", "constant")
    assert got["steps"] == constant["steps"] == 60
    assert got["epsilon"]["lower"] > constant["epsilon"]["upper"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--sampling", "without-replacement", "--batch-size", "5", "--steps", "5"], "--dataset-size"),
        (["--sampling", "without-replacement", "--sample-rate", ".1", "--steps", "5"], "fixed size"),
        (
            ["--sampling", "without-replacement", *SIZES, "--steps", "5", "--neighboring", "zero-out"],
            "37 times",
        ),
        (["--sampling", "truncated-poisson", *SIZES, "--steps", "5"], "--max-batch-size"),
        (["--sampling", "balls-and-bins", "--bins", "5", "--steps", "5"], "--epochs"),
        (["--sampling", "balls-and-bins", "--epochs", "5"], "--bins"),
        (["--sampling", "balls-and-bins", "--bins", "5", "--epochs", "5", *SIZES], "--bins"),
        (["--sample-rate", ".1", "--steps", "5", "--bins", "5"], "belongs to --sampling balls-and-bins"),
        (["--sample-rate", ".1", "--steps", "5", "--max-batch-size", "5"], "belongs to --sampling truncated"),
        (["--sampling", "shuffle", "--epochs", "2", "--neighboring", "add-remove"], "ill-posed"),
    ],
)
def test_refused_samplers(flags: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refusal(capsys, "epsilon", "--noise-multiplier", "1", *flags)


def test_accountants_and_conversions(capsys: pytest.CaptureFixture[str]) -> None:
    everything = answer(capsys, "epsilon", *POISSON)
    pld = answer(capsys, "epsilon", *POISSON, "--accountant", "pld")
    assert pld["rdp"] is None
    assert pld["epsilon"]["upper"] == everything["pld"]["upper"]
    rdp = answer(capsys, "epsilon", *POISSON, "--accountant", "rdp")
    assert rdp["pld"] is None
    assert rdp["epsilon"]["upper"] == everything["rdp"]["upper"]
    worse = answer(capsys, "epsilon", *POISSON, "--accountant", "rdp", "--conversion", "mironov2017")
    assert worse["rdp"]["conversion"] == "mironov2017"
    assert worse["rdp"]["upper"] > rdp["rdp"]["upper"]
    exact = answer(capsys, "epsilon", *POISSON, "--exact")
    assert exact["epsilon"] == everything["epsilon"]
    assert "--conversion" in refusal(capsys, "epsilon", *POISSON, "--conversion", "guess")


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures(kind: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / f"curve.{kind}"
    answer(capsys, "epsilon", *POISSON, "--plot", str(path))
    first = path.read_bytes()
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml"}[kind])
    answer(capsys, "delta", "--epsilon", "1", *POISSON, "--plot", str(path))
    assert path.read_bytes() != first


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([*POISSON, "--plot", "curve.txt"], "must end in .png"),
        ([*POISSON, "--plot", "/nonexistent/a.png"], "folder does not exist"),
        (
            ["--noise-multiplier", "0", "--sample-rate", ".1", "--steps", "5", "--plot", "a.png"],
            "no curve to draw",
        ),
    ],
)
def test_refused_pictures(
    flags: list[str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert says in refusal(capsys, "epsilon", *flags)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_of_a_schedule(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    flags = [
        "--noise-multiplier",
        "1",
        "--sample-rate",
        ".01",
        "--steps",
        "30",
        "--schedule",
        "cosine:amplitude=.2",
    ]
    answer(capsys, "epsilon", *flags, "--plot", str(tmp_path / "a.png"))


def test_certificates(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    plain = answer(capsys, "epsilon", *POISSON)
    got = answer(capsys, "epsilon", *POISSON, "--certificate", str(path))
    check_schema("epsilon", got, "answer")
    assert plain["certified"] is False
    assert got["certified"] is True
    assert {"pld.lower", "pld.upper", "rdp.upper"} <= set(got["certified_parts"])
    assert got["epsilon"]["lower"] == pytest.approx(plain["epsilon"]["lower"], rel=1e-6)
    assert got["epsilon"]["upper"] == pytest.approx(plain["epsilon"]["upper"], rel=1e-6)
    verdict = answer(capsys, "epsilon", "--check-certificate", str(path))
    assert verdict["accepted"] is True
    assert verdict["epsilon"] == got["epsilon"]
    assert "certificate accepted" in _text(capsys, "epsilon", "--check-certificate", str(path))
    assert "proved in ball arithmetic" in _text(capsys, "epsilon", *POISSON, "--certify")


def test_a_certificate_that_claims_too_much_is_rejected(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "certificate.json"
    answer(capsys, "epsilon", *POISSON, "--certificate", str(path))
    document = json.loads(path.read_text())
    document["epsilon"]["upper"] *= 0.99
    document["parts"]["pld.upper"]["epsilon"] *= 0.99
    path.write_text(json.dumps(document))
    verdict = answer(capsys, "epsilon", "--check-certificate", str(path), code=4)
    assert verdict["accepted"] is False
    assert verdict["reasons"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", "not json", '{"schema": "refdp-certificate/1"}'])
def test_what_is_no_certificate_is_refused(
    text: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(text)
    assert "not a certificate" in refusal(capsys, "epsilon", "--check-certificate", str(path))
    assert "give it alone" in refusal(capsys, "epsilon", "--check-certificate", str(path), *POISSON)
    assert "has no effect" in refusal(capsys, "epsilon", "--check-certificate", str(path), "--delta", "0.1")


def test_a_proof_that_says_less_replaces_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Without noise epsilon is infinite; all that ball arithmetic proves is 0 and more."""
    flags = ["--noise-multiplier", "0", "--sample-rate", ".1", "--steps", "5", "--certify"]
    got = answer(capsys, "epsilon", *flags)
    assert got["epsilon"] == {"lower": "inf", "upper": "inf"}
    assert got["certified"] is False
