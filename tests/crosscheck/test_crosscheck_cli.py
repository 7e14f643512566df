"""``crosscheck accountant`` through the command line, with stand-ins for the accountants."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from fake_peers import fake, full_batch, poisson

from refdp.accounting import epsilon
from refdp.cli import run
from refdp.crosscheck import discovery
from refdp.schema import check_schema

FLAGS = ["--noise-multiplier", "1.1", "--sample-rate", "0.01", "--steps", "100"]
TRUTH = epsilon(poisson(1.1, 0.01, 100), 1e-5)


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of peers in place of the shipped one."""
    folder = tmp_path / "peers"
    folder.mkdir()
    monkeypatch.setattr(discovery, "FOLDER", folder)
    return folder


def ask(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert run(["crosscheck", "accountant", *arguments, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    check_schema("crosscheck", found, "answer")
    return found


def error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["crosscheck", "accountant", *arguments]) == 2
    text = capsys.readouterr()
    assert text.out == ""
    assert text.err.count("\n") == 1
    return text.err


def test_a_safe_peer(peers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake(peers, f"return {{'epsilon': {TRUTH.upper!r}}}", package="right")
    found = ask(capsys, *FLAGS)
    case = found["cases"][0]
    assert found["wrong"] == 0
    assert case["epsilon"] == {"lower": TRUTH.lower, "upper": TRUTH.upper}
    assert case["steps"] == 100
    row = case["peers"][0]
    assert (row["status"], row["verdict"], row["version"]) == ("ok", "agrees", "1.2.3")
    assert row["epsilon"] == {"lower": None, "estimate": None, "upper": TRUTH.upper}


def test_an_unsafe_peer_is_exit_code_4_and_said_in_the_table(
    peers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(peers, f"return {{'epsilon': {TRUTH.lower!r} * 0.9}}", package="low")
    fake(peers, f"return {{'epsilon': {TRUTH.upper!r} * 2}}", package="high")
    assert ask(capsys, *FLAGS, code=4)["wrong"] == 1
    assert run(["crosscheck", "accountant", *FLAGS]) == 4
    text = capsys.readouterr()
    assert "UNSAFE" in text.out
    assert "-10 %" in text.out
    assert "above" in text.out
    assert "low" in text.err
    assert ask(capsys, *FLAGS, "--only", "high")["wrong"] == 0


def test_a_lower_bound_above_the_truth_is_wrong_too(peers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake(peers, f"return {{'lower': {TRUTH.upper!r} * 1.1}}", package="low", side="lower")
    assert ask(capsys, *FLAGS, code=4)["cases"][0]["peers"][0]["verdict"] == "overstated"


def test_every_misbehaviour_is_a_row(peers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = {
        "crashes": "raise RuntimeError('no')",
        "eats": "x = bytearray(2**31); return {'epsilon': 1.0}",
        "hangs": "import time; time.sleep(60)",
        "infinite": "return {'epsilon': float('inf')}",
        "nan": "return {'epsilon': float('nan')}",
        "negative": "return {'epsilon': -134.0}",
        "unable": "raise NotImplementedError('not this')",
        "zero": "return {'epsilon': 0.0}",
    }
    for package, body in bodies.items():
        fake(peers, body, package=package)
    fake(peers, "return {}", package="missing", load="import no_such_package")
    options = ["--timeout", "1.5", "--memory", "0.5", "--jobs", "3"]
    rows = {row["package"]: row for row in ask(capsys, *FLAGS, *options, code=4)["cases"][0]["peers"]}
    status = {package: row["status"] for package, row in rows.items()}
    assert status == {
        "crashes": "crashed",
        "eats": "out of memory",
        "hangs": "timeout",
        "infinite": "ok",
        "missing": "not installed",
        "nan": "not a number",
        "negative": "not a number",
        "unable": "unsupported",
        "zero": "ok",
    }
    assert rows["zero"]["verdict"] == "unsafe"
    assert rows["infinite"]["epsilon"]["upper"] == "inf"
    assert rows["negative"]["cause"] == "its epsilon is -134: no epsilon is negative"
    assert all(row["cause"] for row in rows.values() if row["status"] != "ok")
    assert run(["crosscheck", "accountant", *FLAGS, *options, "--quiet"]) == 4
    assert "no epsilon is negative" in capsys.readouterr().out


def test_what_a_peer_is_told(peers: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    fake(peers, f"import json; json.dump(case, open({str(seen)!r}, 'w')); return {{'epsilon': 99.0}}")
    flags = ["--noise-multiplier", "2", "--sample-rate", "0.1", "--steps", "4", "--delta", "1e-6"]
    ask(capsys, *flags, "--schedule", "step:factor=0.5,every=1,steps_per_epoch=2")
    told = json.loads(seen.read_text())
    assert told["delta"] == 1e-6
    assert told["neighboring"] == "add-remove"
    assert told["events"] == [{"scheme": "poisson", "rate": 0.1, "steps": [[1.0, 2], [2.0, 2]]}]
    shuffle = ["--noise-multiplier", "1", "--sampling", "shuffle", "--epochs", "2"]
    found = ask(capsys, *shuffle, "--batch-size", "10", "--dataset-size", "100")
    told = json.loads(seen.read_text())
    assert told["events"] == [{"scheme": "poisson", "rate": 0.1, "steps": [[1.0, 20]]}]
    row = found["cases"][0]["peers"][0]
    assert row["read_as"] == "shuffle taken for poisson at rate 0.1"
    assert "sampler" in {reason["id"] for reason in row["reasons"]}


def test_ledger_file_and_step_counts(peers: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fake(peers, "return {'epsilon': 99.0}")
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(full_batch(2.0, 3).to_json()))
    found = ask(capsys, "--ledger", str(path))
    assert found["cases"][0]["id"] == "mine"
    assert "step_counts" not in found
    sizes = ["--noise-multiplier", "1.1", "--batch-size", "256", "--dataset-size", "60000", "--epochs", "5"]
    counts = ask(capsys, *sizes)["step_counts"]
    assert [count["steps"] for count in counts] == [1172, 1172, 1171, 1175, 1175, 1170]
    assert counts[2]["epsilon"]["upper"] < counts[0]["epsilon"]["lower"]
    assert run(["crosscheck", "accountant", *sizes]) == 0
    assert "Opacus get_noise_multiplier" in capsys.readouterr().out


def test_cases_keep_their_order_and_bad_ones_their_place(
    peers: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(peers, "return {'epsilon': 99.0}")
    good = poisson(1.0, 0.01, 10).to_json()
    lines = [
        {**good, "delta": 1e-5, "id": "first"},
        {**good, "delta": 2},
        {**good, "events": [{"mechanism": "laplace"}], "delta": 1e-5},
        good,
        {**good, "delta": 1e-5, "id": 3},
        {**good, "delta": 1e-6},
    ]
    text = "\n".join(json.dumps(line) for line in lines) + "\nnot json\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    cases = ask(capsys, "--cases", "-", code=2)["cases"]
    assert [case["id"] for case in cases] == ["first", *(f"line {n}" for n in range(2, 8))]
    assert ["error" in case for case in cases] == [False, True, True, True, True, False, True]
    assert "laplace" in cases[2]["error"]
    assert "delta = 2" in cases[1]["error"]


def test_markdown(peers: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fake(peers, f"return {{'epsilon': {TRUTH.lower!r} / 2}}", package="low")
    fake(peers, "import time; time.sleep(60)", package="hangs")
    path = tmp_path / "table.md"
    assert (
        run(["crosscheck", "accountant", *FLAGS, "--markdown", str(path), "--timeout", "0.5", "--quiet"]) == 4
    )
    capsys.readouterr()
    text = path.read_text()
    assert "| low | upper | 1 | 1 | 0 | 50 % |" in text
    assert "1 timeout" in text
    assert "unsafe** |" in text
    widths = {
        line.count("|") for line in text.splitlines() if line.startswith("| run") or "ledger, delta" in line
    }
    assert len(widths) == 1
    nowhere = ["--quiet", "--only", "low", "--markdown", "/no/such/folder/x.md"]
    assert "cannot be written" in error(capsys, *FLAGS, *nowhere)


def test_no_accountant_at_all_says_so(peers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake(peers, "return {}", load="import no_such_package")
    assert run(["crosscheck", "accountant", *FLAGS]) == 0
    assert "no accountant answered" in capsys.readouterr().err


def test_nothing_released(peers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake(peers, "return {'epsilon': 0.0}")
    flags = ["--noise-multiplier", "1", "--sample-rate", "0.1", "--steps", "0"]
    case = ask(capsys, *flags)["cases"][0]
    assert case["epsilon"] == {"lower": 0.0, "upper": 0.0}
    assert case["peers"][0]["status"] == "unsupported"


def test_no_noise_is_infinite(peers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake(peers, "return {'epsilon': 5.0}")
    found = ask(capsys, "--noise-multiplier", "0", "--sample-rate", "0.1", "--steps", "10", code=4)
    assert found["cases"][0]["epsilon"] == {"lower": "inf", "upper": "inf"}
    assert found["cases"][0]["peers"][0]["verdict"] == "unsafe"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--noise-multiplier: is needed"),
        (["--noise-multiplier", "1"], "--sample-rate: is needed"),
        (["--ledger", "x", "--noise-multiplier", "1"], "give one of the three"),
        (["--ledger", "x", "--cases", "y"], "give one of the three"),
        (["--ledger", "/no/such/file"], "cannot be read"),
        (["--cases", "/dev/null"], "holds no line"),
        (["--cases", "/dev/null", "--delta", "0.1"], "--delta: has no effect with --cases"),
        ([*FLAGS, "--peer", "opacus"], "must be NAME=PYTHON"),
        ([*FLAGS, "--peer", "nosuch=python3"], "unknown package 'nosuch'"),
        ([*FLAGS, "--peer", "opacus=/no/such/python"], "is no program that can be run"),
        ([*FLAGS, "--peer", "opacus=python3", "--peer", "opacus=python3"], "is given twice"),
        ([*FLAGS, "--only", "nosuch"], "unknown accountant 'nosuch'"),
        ([*FLAGS, "--timeout", "0"], "from 0.1 to 86,400 seconds"),
        ([*FLAGS, "--memory", "nan"], "from 0.25 to 4096 GiB"),
        ([*FLAGS, "--jobs", "0"], "whole number"),
        ([*FLAGS, "--delta", "nan"], "must be > 0 and < 1"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in error(capsys, *arguments)


def test_the_group_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["crosscheck", "--help"]) == 0
    assert "accountant" in capsys.readouterr().out
    assert run(["crosscheck", "nosuch"]) == 2
