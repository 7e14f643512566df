"""``refdp audit scores``: exit codes, answers in the schema, the same answer for the same scores however written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp.accounting import GaussianEvent, Ledger, Sampling
from refdp.cli import run
from refdp.schema import check_schema

SCORES = ["audit", "scores"]


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """300 scores with a tie, and whether a fair coin planted each; mu = 2.5."""
    rng = np.random.default_rng(5)
    member = rng.random(300) < 0.5
    return np.round(rng.standard_normal(300) + 2.5 * member, 2), member


def written(path: Path, scores: np.ndarray, member: np.ndarray) -> str:
    rows = [f"{score!r},{int(inside)}" for score, inside in zip(scores.tolist(), member, strict=True)]
    path.write_text("score,member\n" + "\n".join(rows) + "\n")
    return str(path)


@pytest.fixture
def file(tmp_path: Path, drawn: tuple[np.ndarray, np.ndarray]) -> str:
    return written(tmp_path / "scores.csv", *drawn)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert run([*SCORES, *arguments, "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    check_schema("audit-scores", document, "answer")
    assert isinstance(document, dict)
    return document


def bounds(document: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each["epsilon"]["lower"] for each in document["estimators"]}


def test_exit_codes_go_by_the_declared_estimator(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = bounds(answer(capsys, file, "--fair-coins", "--quick"))
    assert len(shown) >= 5
    assert shown["clopper-pearson"] > 1
    assert shown["gdp"] > shown["clopper-pearson"] + 1
    for name in ("clopper-pearson", "gdp"):
        found = answer(
            capsys, file, "--fair-coins", "--quick", "--claimed-epsilon", "0.5", "--estimator", name, code=3
        )
        assert (found["verdict"], found["verdict_by"]) == ("refuted", name)
    between = ["--claimed-epsilon", f"{(shown['clopper-pearson'] + shown['gdp']) / 2}", "--quick"]
    assert answer(capsys, file, *between, "--estimator", "gdp", code=3)["verdict"] == "refuted"
    assert answer(capsys, file, *between, "--estimator", "clopper-pearson")["verdict"] != "refuted"


def test_a_declared_estimator_that_refuses(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One-run guesses need fair coins: in the table it stands with its reason, as the declared one it is exit 2."""
    found = {each["name"]: each for each in answer(capsys, file, "--quick")["estimators"]}
    assert "fair coins" in found["one-run"]["refused"]
    assert (found["one-run"]["epsilon"]["lower"], found["one-run"]["ceiling"]) == (None, None)
    assert run([*SCORES, file, "--quick", "--estimator", "one-run", "--claimed-epsilon", "4"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--estimator one-run: allows no bound" in captured.err
    assert captured.err.count("\n") == 1


def test_rows_in_another_order_and_a_monotone_map_change_nothing(
    tmp_path: Path, drawn: tuple[np.ndarray, np.ndarray], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, member = drawn
    flags = ["--fair-coins", "--claimed-epsilon", "3", "--quick", "--estimator", "clopper-pearson"]
    expected = answer(capsys, file, *flags)
    order = np.argsort(scores)
    same = written(tmp_path / "sorted.csv", np.exp(scores[order]) - 40, member[order])
    assert answer(capsys, same, *flags) == expected
    losses = written(tmp_path / "losses.csv", -scores[::-1], member[::-1])
    assert answer(capsys, losses, *flags, "--lower-is-member") == expected
    notes = answer(capsys, losses, *flags)["notes"]
    assert "members score lower" in notes[0]


def test_what_a_file_and_a_ledger_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lists = {"planted": list(range(20, 60)), "left_out": list(range(40)), "fair_coins": True}
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"schema": "refdp-scores/1", "delta": 1e-6, "claimed_epsilon": 3, **lists}))
    ledger = tmp_path / "ledger.json"
    event = GaussianEvent(5.0, Sampling("full-batch"), 100)
    ledger.write_text(json.dumps(Ledger("add-remove", (event,)).to_json()))
    found = answer(capsys, str(path), "--quick")
    assert (found["delta"], found["claimed"]["epsilon"], found["verdict_by"]) == (1e-6, 3, "one-run")
    found = answer(capsys, str(path), "--quick", "--delta", "1e-5", "--claimed-epsilon", "1.5", code=3)
    assert (found["delta"], found["claimed"]["epsilon"]) == (1e-5, 1.5)
    path.write_text(json.dumps({"schema": "refdp-scores/1", **lists}))
    found = answer(capsys, str(path), "--quick", "--theory-ledger", str(ledger))
    theory = found["theory"]
    assert (theory["steps"], theory["noise_multiplier"], theory["full_participation"]) == (100, 5, True)
    assert found["claimed"]["epsilon"] == theory["epsilon"]["upper"]
    assert 0 < theory["epsilon"]["lower"] <= theory["epsilon"]["upper"] < 12
    assert answer(capsys, str(path), "--quick")["claimed"] is None
    event = GaussianEvent(1.0, Sampling("poisson", rate=0.3), 100)
    ledger.write_text(json.dumps(Ledger("add-remove", (event,)).to_json()))
    found = answer(capsys, str(path), "--quick", "--theory-ledger", str(ledger))
    assert found["theory"]["full_participation"] is False
    assert "a subsampled run is not mu-GDP" in " ".join(found["notes"])


def test_the_text_with_its_power_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every estimator on 24 canaries, all told right: a claim of 6 is past the reach of Clopper-Pearson."""
    path = written(tmp_path / "scores.csv", np.arange(24.0), np.arange(24) >= 12)
    picture = tmp_path / "audit.svg"
    flags = [
        "--fair-coins",
        "--claimed-epsilon",
        "6",
        "--estimator",
        "clopper-pearson",
        "--plot",
        str(picture),
    ]
    assert run([*SCORES, path, *flags]) == 0
    captured = capsys.readouterr()
    assert "clopper-pearson *" in captured.out
    assert "cannot refute 6 whatever leaks: with 24 canaries no bound by clopper-pearson" in captured.out
    assert "16 x canaries" in captured.out
    assert "picture in" in captured.err
    assert picture.read_text().count("claimed: 6") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--delta", "0"], "must be > 0 and < 1"),
        (["--confidence", "1"], "must be > 0.5 and < 1"),
        (["--confidence", "nan"], "must be > 0.5 and < 1"),
        (["--claimed-epsilon", "-1"], "must be finite"),
        (["--claimed-epsilon", "inf"], "must be finite"),
        (["--estimator", "largest"], "unknown estimator 'largest'"),
        (["--plot", "audit.txt"], "must end in"),
        (["--plot", "none/audit.svg"], "does not exist"),
        (["--theory-ledger", "none.json"], "cannot be read"),
        (["--theory-ledger", "FILE"], "ledger"),
    ],
)
def test_bad_flags(flags: list[str], said: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SCORES, file, *[file if flag == "FILE" else flag for flag in flags]]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["", "score,member\n1,1\n", "score,member\nnan,1\n0,0\n", "{}", "PK\x03\x04"]
)
def test_bad_files(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scores"
    path.write_text(text)
    assert run([*SCORES, str(path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("canaries", [2, 4, 10])
def test_too_few_canaries_and_all_alike(
    canaries: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clear answer or exit 2; never a bound above 0 where no two scores differ."""
    path = written(tmp_path / "scores.csv", np.zeros(canaries), np.arange(canaries) % 2 == 0)
    code = run([*SCORES, path, "--fair-coins", "--quick", "--claimed-epsilon", "1", "--json"])
    captured = capsys.readouterr()
    assert code in (0, 2)
    if code == 0:
        document = json.loads(captured.out)
        check_schema("audit-scores", document, "answer")
        assert all(value in (0, None) for value in bounds(document).values())
        assert not math.isnan(document["estimators"][0]["ceiling"] or 0)
