"""Every rule of refdp's own passes an attack on what it declares (``mechanism_subjects/rules.py``)."""

from __future__ import annotations

import pytest
from mechanism_helpers import audited, searched
from mechanism_subjects.rules import SPECS

from refdp.clippers import AdaptiveClipper, clippers

ADAPTIVE = [
    name for name, spec in SPECS.items() if issubclass(clippers.get(spec.split(":")[0]), AdaptiveClipper)
]


def _passes(name: str, seed: int, seconds: float) -> None:
    found = audited(f"rules:{name}", seed=seed, seconds=seconds)
    assert found.verdict == "nothing found", [one.what for one in found.findings]
    assert found.frozen
    assert found.notes == ()


def test_no_rule_is_left_out() -> None:
    assert {spec.split(":")[0] for spec in SPECS.values()} == set(clippers.names())


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if ":" not in spec])
def test_a_rule_passes_a_short_search(name: str) -> None:
    assert searched(f"rules:{name}", [0], 0.2, brief=True) == []


@pytest.mark.parametrize("name", ["Rule_per_layer_quantile"])
def test_a_rule_passes_all_checks(name: str) -> None:
    _passes(name, 0, 0.1)


def test_noise_scales_that_are_too_small_are_found() -> None:
    assert [one.check for one in searched("rules:Understated", [0], 4, brief=True)] == ["shift"]


def test_counts_that_are_not_centred_are_found() -> None:
    assert {one.check for one in searched("rules:RawCounts", [0], 0.1, brief=True)} == {"count"}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_a_rule_passes_a_full_search(name: str) -> None:
    _passes(name, 1000, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_a_rule_passes_under_100_seeds(name: str) -> None:
    relations = ("add-remove", "zero-out", "replace-one")
    for i, relation in enumerate(relations):
        seeds = range(i, 100, len(relations))
        assert searched(f"rules:{name}", seeds, 0.25, relation, brief=True) == []


@pytest.mark.parametrize("name", ADAPTIVE)
def test_an_adaptive_rule_passes_where_records_are_zeroed_out(name: str) -> None:
    assert searched(f"rules:{name}", [0], 0.1, "zero-out", brief=True) == []
