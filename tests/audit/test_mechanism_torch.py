"""Subjects on torch tensors, where torch is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from mechanism_helpers import audited, subject

from refdp.cli import run

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed; it is no dependency of refdp"
)


@pytest.mark.parametrize("name", ["TorchFlat", "TorchGenerator"])
def test_a_correct_torch_subject_passes_with_its_noise_frozen(name: str) -> None:
    found = audited(f"torched:{name}", seconds=3)
    assert found.verdict == "nothing found", [one.what for one in found.findings]
    assert found.frozen
    assert found.notes == ()


@pytest.mark.parametrize(
    ("name", "checks", "least"),
    [("TorchClipsTheMean", {"shift"}, 2), ("TorchPerLayer", {"shift", "failure"}, 7)],
)
def test_a_faulty_torch_subject_is_found_and_replayed(
    name: str, checks: set[str], least: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "found"
    arguments = [subject(f"torched:{name}"), "--seconds", "8", "--output", str(folder), "--json"]
    assert run(["audit", "mechanism", *arguments]) == 3
    found = {one["check"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert set(found) == checks
    assert found["shift"]["factor"] > least
    for one in found.values():
        assert run(["audit", "mechanism", "--replay", one["counterexample"]]) == 3
