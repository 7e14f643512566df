"""``refdp audit sampler``: files and scores in, a verdict out; exit codes 0, 3 and 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp.cli import run
from refdp.rng import Streams
from refdp.samplers import samplers
from refdp.schema import check_schema

SAMPLER = ["audit", "sampler"]


def recorded(path: Path, name: str, steps: int = 60) -> str:
    sampler, streams = samplers.get(name)(400, 20), Streams.from_seed(1)
    rows = [sampler.batch(t, streams).indices.tolist() for t in range(steps)]
    path.write_text(json.dumps({"dataset_size": 400, "batches": rows}))
    return str(path)


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document = json.loads(capsys.readouterr().out)
    check_schema("audit-sampler", document, "answer")
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("name", ["poisson", "shuffle", "without-replacement", "fixed-order"])
def test_a_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(tmp_path / "b.json", name)
    assert run([*SAMPLER, path, "--json"]) == (0 if name == "poisson" else 3)
    found = answer(capsys)
    assert found["sampler"] == name
    assert found["verdict"] == ("consistent" if name == "poisson" else "refuted")
    assert bool(found["power"]) == (name == "poisson")
    assert run([*SAMPLER, path, "--claimed", name, "--json"]) == 0
    assert answer(capsys)["sampler"] == name


def test_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SAMPLER, recorded(tmp_path / "b.json", "shuffle")]) == 3
    shown = capsys.readouterr().out
    assert "verdict: REFUTED" in shown
    assert "each record exactly once every 20 steps" in shown
    assert run([*SAMPLER, recorded(tmp_path / "b.json", "poisson", 2), "--batch-size", "20"]) == 0
    shown = capsys.readouterr().out
    assert "not told apart from poisson" in shown
    assert "TOO FEW BATCHES" in shown


def test_a_rate_that_is_not_the_one_claimed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(tmp_path / "b.json", "poisson")
    assert run([*SAMPLER, path, "--sample-rate", "0.05", "--json"]) == 0
    assert answer(capsys)["sample_rate"] == 0.05
    assert run([*SAMPLER, path, "--batch-size", "30", "--json"]) == 3
    assert answer(capsys)["sampler"] == "other-rate"


def test_an_impossible_claim_is_answered_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "b.json"
    path.write_text("[[1, 1], [2]]")
    assert run([*SAMPLER, str(path), "--dataset-size", "5", "--json"]) == 3
    found = answer(capsys)
    assert (found["log_e"], found["p_value"], found["sampler"]) == ("inf", 0, "with-replacement")


def test_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "s.npz"
    np.savez(path, planted=10 + rng.standard_normal(60), left_out=rng.standard_normal(60))
    flags = ["--scores", str(path), "--sample-rate", "0.1", "--steps", "100", "--json"]
    assert run([*SAMPLER, *flags]) == 3
    assert answer(capsys)["verdict"] == "equally-often"
    assert run([*SAMPLER, *flags, "--claimed", "shuffle"]) == 0
    answer(capsys)
    np.savez(path, planted=rng.standard_normal(60), left_out=rng.standard_normal(60))
    assert run([*SAMPLER, *flags]) == 0
    assert answer(capsys)["verdict"] == "cannot-tell"
    assert run([*SAMPLER, *flags[:-1]]) == 0
    assert "cannot tell" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "code", "verdict"), [("poisson", 0, "poisson"), ("shuffle", 3, "equally-often")]
)
def test_the_demonstration(name: str, code: int, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SAMPLER, "--demonstrate", name, "--json", "--quiet"]) == code
    assert answer(capsys)["verdict"] == verdict


@pytest.mark.parametrize(
    ("flags", "match"),
    [
        ([], "give one of FILE"),
        (["FILE", "--demonstrate", "shuffle"], "give one of FILE"),
        (["FILE", "--steps", "5"], "--steps: has no meaning"),
        (["FILE", "--sample-rate", "0.1", "--batch-size", "3"], "say the same"),
        (["FILE", "--sample-rate", "0.1", "--claimed", "shuffle"], "belong to --claimed poisson"),
        (["FILE", "--batch-size", "500"], "must not exceed"),
        (["FILE", "--dataset-size", "300"], "mend one"),
        (["FILE", "--level", "0"], "> 0 and < 1"),
        (["nowhere.json"], "cannot be read"),
        (["--scores", "nowhere.csv"], "needs --sample-rate"),
        (["--scores", "nowhere.csv", "--sample-rate", "1", "--steps", "3"], "must be > 0 and < 1"),
        (["--scores", "nowhere.csv", "--sample-rate", "0.1", "--steps", "3"], "cannot be read"),
        (["--scores", "x", "--dataset-size", "3"], "--dataset-size: has no meaning"),
        (["--demonstrate", "shuffle", "--steps", "3"], "--steps: has no meaning"),
        (["--demonstrate", "shuffle", "--claimed", "fixed-order"], "poisson from shuffle only"),
        (["--demonstrate", "shuffle", "--level", "0.0001"], "from 0.001"),
    ],
)
def test_bad_usage(flags: list[str], match: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(tmp_path / "b.json", "poisson", 5)
    assert run([*SAMPLER, *(path if flag == "FILE" else flag for flag in flags)]) == 2
    said = capsys.readouterr()
    assert match in said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
