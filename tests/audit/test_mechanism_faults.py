"""Every fault of docs/auditing-mechanisms.md is found by the checks named there, saved and found again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mechanism_helpers import SUBJECTS, audited, searched, subject

from refdp.cli import run
from refdp.schema import check_schema

PAGE = Path(__file__).resolve().parents[2] / "docs" / "auditing-mechanisms.md"
ROWS = re.findall(r"^\| [^|]+ \| `(\w+)` \| (`.+`) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
LEAST = {
    "MidpointWaterFilling": 100,
    "DeadClipping": 1e6,
    "PerLayerOneNoise": 60**0.5 * 0.99,
    "OffBySeven": 1.0699,
    "MedianClip": 1.9,
    "NoiseOverBatch": 7,
    "MeanNoiseOnSum": 7,
    "RawCountQuantile": 1.3228,  # 1 / .756, specification 1.11
}


def test_the_page_lists_every_faulty_subject() -> None:
    classes = re.findall(r"^class (\w+)", (SUBJECTS / "faulty.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(name for name, _ in ROWS) == sorted(classes)


@pytest.mark.parametrize(("name", "checks"), ROWS)
def test_a_fault_is_found_saved_and_replayed(
    name: str, checks: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "found"
    where = subject(f"faulty:{name}")
    quick = "0.1" if "`shift`" not in checks else "8"
    assert run(["audit", "mechanism", where, "--seconds", quick, "--output", str(folder), "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    check_schema("mechanism-audit", document, "answer")
    assert document["verdict"] == "violated"
    assert float(document["factor"]) >= LEAST.get(name, 1)
    assert any("--divisor realised" in note for note in document["notes"]) == (name == "RealisedDivisor")
    found = {one["check"]: one for one in document["findings"]}
    for check in re.findall(r"`([\w-]+)`", checks):
        assert check in found, document["summary"]
        one = found[check]
        assert run(["audit", "mechanism", "--replay", one["counterexample"], "--json"]) == 3
        again = json.loads(capsys.readouterr().out)
        assert float(again["factor"]) == pytest.approx(float(one["factor"]), rel=1e-6)
        assert not again["file_changed"]


CORRECT = ["Flat", "WaterFilling", "AutoS", "LegacyNoise", "NoisyQuantile", "CountQuantile"]


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_subject_passes(name: str) -> None:
    found = audited(f"correct:{name}", seconds=0.1)
    assert found.verdict == "nothing found", [one.what for one in found.findings]
    assert found.frozen
    assert found.notes == ()


@pytest.mark.slow
@pytest.mark.parametrize("relation", ["add-remove", "zero-out", "replace-one"])
@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_subject_passes_a_longer_search(name: str, relation: str) -> None:
    found = audited(f"correct:{name}", seed=10, seconds=20, relation=relation)
    assert found.verdict == "nothing found", [one.what for one in found.findings]
    assert found.notes == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_subject_passes_under_100_seeds(name: str) -> None:
    for i, relation in enumerate(("add-remove", "zero-out", "replace-one")):
        assert searched(f"correct:{name}", range(i, 100, 3), 0.25, relation) == []


def test_a_realised_divisor_passes_where_batches_have_a_fixed_size() -> None:
    held = {"relation": "zero-out", "divisor": "realised"}
    assert audited("faulty:RealisedDivisor", seconds=0.3, **held).verdict == "nothing found"
