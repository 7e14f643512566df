"""A count that is released beside the gradients: raw indicators, quiet or shared noise, null and NaN records."""

from __future__ import annotations

from pathlib import Path

import pytest
from mechanism_helpers import SUBJECTS, audited, searched

from refdp.audit.mechanism import Settings, attack
from refdp.errors import RefDPError


@pytest.mark.parametrize(
    ("sigma_b", "multiplier"),
    # specification 1.11, computed there: what a claimed noise multiplier of 1 is where raw indicators are summed
    [(12.8, 0.998), (0.51, 0.507)],
)
def test_raw_indicators_cost_what_the_specification_says(
    sigma_b: float, multiplier: float, tmp_path: Path
) -> None:
    file = tmp_path / "raw.py"
    text = f"""
import sys
sys.path.insert(0, {str(SUBJECTS)!r})
from faulty import RawCountQuantile


class Raw(RawCountQuantile):
    sigma_b = {sigma_b}
"""
    file.write_text(text, encoding="utf-8")
    found = attack(f"{file}:Raw", Settings(), seconds=0.1)
    assert [one.check for one in found.findings] == ["count"]
    assert found.effective_noise_multiplier == pytest.approx(multiplier, abs=5e-4)
    assert (found.findings[0].measured, found.findings[0].bound) == (pytest.approx(1), 0.5)


def test_a_null_record_moves_a_count_where_it_is_zeroed_out() -> None:
    assert searched("counts:NullInCount", [0], 0.1, brief=True) == []
    (finding,) = searched("counts:NullInCount", [0], 0.1, "zero-out", brief=True)
    assert (finding.check, finding.measured) == ("count", pytest.approx(1))


@pytest.mark.parametrize("relation", ["zero-out", "replace-one"])
def test_a_centred_count_passes_under_the_other_relations(relation: str) -> None:
    assert searched("correct:CountQuantile", [0], 0.1, relation, brief=True) == []


def test_a_record_that_makes_the_count_nan_is_found() -> None:
    found = audited("counts:NaNInCount", seconds=0.1)
    assert [one.check for one in found.findings] == ["count"]
    assert found.effective_noise_multiplier == 0


def test_a_count_that_is_not_paid_for_is_noted_with_the_joint_multiplier() -> None:
    found = audited("counts:NotSplit", seconds=0.1)
    assert found.verdict == "nothing found"
    assert len(found.notes) == 1
    assert f"{1.25**-0.5:.6g}" in found.notes[0]  # (1 + 1 / (2 sigma_b)^2)^(-1/2), sigma_b = 1


def test_the_wrong_sign_is_no_fault_of_privacy() -> None:
    assert searched("counts:WrongSign", [0], 0.1, brief=True) == []


@pytest.mark.slow
def test_a_count_is_averaged_where_noise_cannot_be_frozen() -> None:
    found = audited("counts:ClockRaw", seconds=0.1)
    assert not found.frozen
    (finding,) = [one for one in found.findings if one.check == "count"]
    assert 1.3 < finding.factor < 1 / 0.507


def test_noise_on_a_count_without_the_count_is_refused() -> None:
    with pytest.raises(RefDPError, match="needs both get_count_noise and released_count"):
        audited("counts:NoCount")
