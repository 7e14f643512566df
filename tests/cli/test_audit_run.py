"""``refdp audit run``: verdicts and exit codes, its files, resuming, and options that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp.cli import run
from refdp.schema import check_schema

CLUSTERS = [
    "audit",
    "run",
    "--dataset",
    "gaussian-clusters",
    "--records",
    "50",
    "--steps",
    "20",
    "--seed",
    "3",
    "--quick",
]
SMALL = [*CLUSTERS, "--canaries", "500", "--references", "500", "--quiet"]
MANY = [*CLUSTERS, "--canaries", "20", "--runs", "4", "--quiet"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an audit that ended."""
    path = tmp_path_factory.mktemp("ended") / "audit"
    assert run([*MANY, "--jobs", "1", "--output", str(path)]) == 0
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (path / "scores.jsonl").read_text().splitlines()]
    return sorted(
        [{k: v for k, v in each.items() if k != "seconds"} for each in found], key=lambda each: each["run"]
    )


@pytest.mark.parametrize(
    ("fault", "code"),
    [(None, 0), ("half-noise", 3), ("record-twice", 3)],
    ids=["sound", "half-noise", "record-twice"],
)
def test_a_fault_is_refuted_and_the_sound_run_is_not(
    fault: str | None, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = [] if fault is None else ["--fault", fault]
    assert run([*SMALL, *extra, "--json", "--output", str(tmp_path / "audit")]) == code
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["verdict"] == ("refuted" if code else "not refuted")
    assert document["verdict_by"] == "gdp"
    assert document["run"]["fault"] == fault
    assert document["claimed"]["epsilon"] == pytest.approx(4, abs=1e-3)
    assert document["theory"]["full_participation"] is True
    bound = next(each for each in document["estimators"] if each["name"] == "gdp")["epsilon"]["lower"]
    assert (bound > 5) if code else (2.5 < bound < 4)
    assert err == ""


def test_the_files_of_an_audit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "audit"
    assert run([*SMALL, "--output", str(path)]) == 0
    text = capsys.readouterr().out
    assert "the adversary sees every released sum" in " ".join(text.split())
    check_schema("audit-scores", json.loads((path / "report.json").read_text()), "report.json")
    check_schema("audit-run", json.loads((path / "audit.json").read_text()), "audit.json")
    for line in (path / "scores.jsonl").read_text().splitlines():
        check_schema("audit-run-scores", json.loads(line), "scores.jsonl")
    assert json.loads((path / "report.json").read_text())["run"]["canaries"] == 500
    assert (path / "audit.svg").read_text().lstrip().startswith("<?xml")
    with np.load(path / "scores.npz") as scores:
        assert len(scores["planted"]) + len(scores["left_out"]) == 500
        assert len(scores["references"]) == 500


def test_the_scores_alone_give_the_same_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "audit"
    assert run([*SMALL, "--json", "--output", str(path)]) == 0
    document = json.loads(capsys.readouterr().out)
    options = [
        "--delta",
        "1e-5",
        "--claimed-epsilon",
        "4",
        "--estimator",
        "one-run",
        "--json",
        "--quiet",
        "--quick",
    ]
    assert run(["audit", "scores", str(path / "scores.npz"), *options]) == 0
    again = json.loads(capsys.readouterr().out)
    for name in ("one-run",):
        bounds = [
            next(each for each in one["estimators"] if each["name"] == name)["epsilon"]["lower"]
            for one in (document, again)
        ]
        assert bounds[0] == pytest.approx(bounds[1], rel=1e-3)


def test_a_killed_audit_goes_on_to_the_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    for path in (whole, part):
        assert run([*MANY, "--jobs", "1", "--json", "--output", str(path)]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lines = (part / "scores.jsonl").read_bytes().splitlines(keepends=True)
    (part / "scores.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:40])
    assert (
        run(
            ["audit", "run", "--output", str(part), "--resume", "--jobs", "2", "--json", "--quiet", "--quick"]
        )
        == 0
    )
    resumed = json.loads(capsys.readouterr().out)
    assert lines_of(part) == lines_of(whole)
    assert resumed["estimators"] == documents[0]["estimators"]
    stamp = (part / "scores.jsonl").stat().st_mtime_ns
    assert (
        run(["audit", "run", "--output", str(part), "--resume", "--quiet", "--quick"]) == 0
    )  # nothing left to do
    assert (part / "scores.jsonl").stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--runs", "5"], "--runs 5: the audit to resume was made with 4"),
        (["--estimator", "gdp-threshold"], "--estimator 'gdp-threshold'"),
        (["--claimed-epsilon", "1"], "--claimed-epsilon 1.0"),
        (["--confidence", "0.9"], "--confidence 0.9"),
        (["--fault", "half-noise"], "--fault 'half-noise'"),
        (["--seed", "4"], "--seed 4"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_an_audit_is_to_show_cannot_be_changed_later(
    options: list[str], message: str, ended: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "run", "--output", str(ended), "--resume", *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--canaries", "0"], "--canaries"),
        (["--steps", "0"], "--steps"),
        (["--canaries", "5000"], "must not exceed the 1029"),
        (["--noise-multiplier", "0"], "nothing to refute"),
        (["--noise-multiplier", "1", "--target-epsilon", "1"], "at most one"),
        (["--clipping", "quantile"], "adaptive"),
        (["--canary", "dirac:x=1"], "unknown parameter"),
        (["--scores", "black-box"], "no loss"),
        (["--resume"], "needs --output"),
        (["--estimator", "nobody"], "unknown estimator"),
        (["--fault", "shuffle-as-poisson", "--batch-size", "50"], "give its own away"),
        (["--confidence", "0.4"], "must be > 0.5 and < 1"),
        (["--backend", "cupy"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_choices_are_one_line(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*CLUSTERS, *options]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_output_that_holds_something_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run([*SMALL, "--output", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_too_few_canaries_are_told_before_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--canaries", "100", "--estimator", "one-run", "--claimed-epsilon", "30"]
    assert run([*CLUSTERS, *options, "--output", str(tmp_path / "audit")]) == 0
    out, err = capsys.readouterr()
    assert "cannot be refuted, whatever leaks" in " ".join(err.split())
    assert err.index("NOTE") < err.index("20/20 steps")
    assert "cannot" in out.lower()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_shuffled_batches_accounted_as_poisson_are_refuted(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["audit", "run", "--canary", "companions", "--seed", str(seed), "--quiet", "--json"]
    fault = ["--fault", "shuffle-as-poisson"]
    assert run([*command, *fault, "--output", str(tmp_path / "shuffled")]) == 3
    assert run([*command, "--output", str(tmp_path / "poisson")]) == 0
    shuffled, poisson = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert shuffled["claimed"] == poisson["claimed"]
    assert poisson["verdict"] == "not refuted"
