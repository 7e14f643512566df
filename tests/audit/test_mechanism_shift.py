"""Sensitivity: what is found, saved and found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mechanism_helpers import audited, subject

from refdp.cli import run


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["correct:Flat", "correct:WaterFilling", "correct:AutoS"])
def test_a_correct_subject_passes(name: str, seed: int) -> None:
    found = audited(name, seed=seed, seconds=0.5)
    assert found.verdict == "nothing found", [one.what for one in found.findings]
    assert found.frozen


@pytest.mark.parametrize(
    ("name", "check", "factor"),
    [
        ("faulty:MidpointWaterFilling", "shift", 100),
        ("faulty:SameBatchClip", "shift", 1.1),
        ("faulty:DeadClipping", "shift", 1e6),
        ("faulty:PerLayerOneNoise", "shift", 60**0.5 * 0.99),
        ("faulty:NaNPasses", "failure", 1e300),
    ],
)
def test_a_fault_is_found_saved_and_replayed(
    name: str, check: str, factor: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "found"
    command = ["audit", "mechanism", subject(name), "--seconds", "8", "--output", str(folder), "--json"]
    assert run(command) == 3
    document = json.loads(capsys.readouterr().out)
    one = next(one for one in document["findings"] if one["check"] == check)
    assert float(one["factor"]) >= factor
    assert run(["audit", "mechanism", "--replay", one["counterexample"], "--json"]) == 3
    again = json.loads(capsys.readouterr().out)
    assert float(again["factor"]) == pytest.approx(float(one["factor"]))
    assert not again["file_changed"]
