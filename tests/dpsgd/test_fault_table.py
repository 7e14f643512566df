"""docs/faults.md is made from the FAULTS lists, and its marks are what the tests prove."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmarks import faults as page
from benchmarks.faults import ASKED, DECLARED, FAMILIES, FOUND, SUBJECTS

TEXT = page.PAGE.read_text(encoding="utf-8")
MARKS = page.marks_of(TEXT)


def parametrised() -> set[tuple[str, str, str]]:
    """(family, fault, check) of every parametrised test that expects a fault to be caught."""
    found = set()
    for family, module in page._modules():
        tests = [value for name, value in vars(module).items() if re.match(r"test_.*fault_is_caught", name)]
        (test,) = tests
        (mark,) = [mark for mark in test.pytestmark if mark.name == "parametrize"]
        names, rows = mark.args
        assert tuple(names)[:2] == ("fault", "check")
        found |= {(family, row[0].__name__, page.short(row[1])) for row in rows}
    return found


def test_the_page_is_made_from_the_lists() -> None:
    """Run `python benchmarks/faults.py` after a change to a fault or a check."""
    assert page.rewritten(TEXT) == TEXT


def test_the_marks_are_what_the_tests_prove() -> None:
    declared = {
        (family, *pair) for family, marks in MARKS.items() for pair, mark in marks.items() if mark == DECLARED
    }
    assert declared == parametrised()
    assert {mark for marks in MARKS.values() for mark in marks.values()} == {DECLARED, FOUND}


def test_every_fault_is_caught_and_explained() -> None:
    faults, _ = page.collected()
    assert sum(map(len, faults.values())) >= 60
    for family in FAMILIES:
        assert {fault for fault, _ in MARKS[family]} == set(faults[family])
        for fault in faults[family].values():
            assert len(fault.text) > 8
            assert fault.text.endswith((".", "!"))
            assert f"| `{fault.name}` | {fault.text}" in TEXT


def test_the_well_known_faults_are_there() -> None:
    names = {fault for family in page.collected()[0].values() for fault in family}
    assert set(ASKED.values()) <= names
    assert len(ASKED) >= 15
    assert set(SUBJECTS) <= names
    assert set(SUBJECTS.values()) <= set(page.audited())


def test_a_wrong_page_is_seen() -> None:
    for old, new in (
        (f"| {DECLARED} |", "| |"),
        (f"| {DECLARED} |", f"| {FOUND} |"),
        ("| `noise_reused` |", "| `other` |"),
        ("Two thirds of the noise.", "Half of the noise."),
    ):
        wrong = TEXT.replace(old, new, 1)
        assert wrong != TEXT
        assert page.rewritten(wrong) != wrong


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_fault_against_every_check(family: Any) -> None:
    caught = page.found(family)
    assert caught == set(MARKS[family])
