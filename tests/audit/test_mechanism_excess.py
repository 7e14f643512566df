"""More noise than declared: a finding where it is clear and on every tensor, else a note; never called a leak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mechanism_helpers import audited, subject

from refdp.cli import run


def test_noise_on_the_mean_is_found_and_is_no_leak() -> None:
    found = audited("faulty:NoiseOnMean", seconds=0.1)
    (finding,) = found.findings
    assert finding.check == "noise-excess"
    assert 7.5 < finding.measured < 8.5
    assert finding.factor == 1 / finding.measured
    assert (found.factor, found.effective_noise_multiplier) == (1.0, 1.0)
    assert "no leak" in finding.what
    assert "batch size 8" in finding.what


def test_a_leak_beside_it_is_searched_for_and_comes_first() -> None:
    found = audited("generous:Half", seconds=1)
    assert [one.check for one in found.findings] == ["shift", "noise-excess"]
    assert found.factor == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize("name", ["Rounded", "OneTensor"])
def test_a_little_more_or_more_on_one_tensor_is_a_note(name: str) -> None:
    found = audited(f"generous:{name}", seconds=0.1)
    assert found.verdict == "nothing found"
    assert any("more noise than declared" in note for note in found.notes)


def test_a_replay_on_a_repaired_subject_finds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "found"
    assert (
        run(
            ["audit", "mechanism", subject("faulty:NoiseOnMean"), "--seconds", "0.1", "--output", str(folder)]
        )
        == 3
    )
    capsys.readouterr()
    saved = str(folder / "01-noise-excess.npz")
    assert run(["audit", "mechanism", subject("correct:Flat"), "--replay", saved, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["verdict"], again["file_changed"]) == ("not reproduced", True)
    assert run(["audit", "mechanism", "--replay", saved]) == 3
