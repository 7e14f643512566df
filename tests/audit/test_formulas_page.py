"""docs/formulas.md holds the numbers that the code gives."""

from __future__ import annotations

import formulas_page as page

from refdp.audit.formulas import FORMULAS, recognise


def test_the_tables_are_up_to_date() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert text == page.filled(text), "run python tests/audit/formulas_page.py"
    for name in FORMULAS:
        assert f"| `{name}` |" in text


def test_the_truths_of_the_two_settings() -> None:
    assert page.truths() == ["86.2252", "1.84096"]


def test_what_the_page_says_of_its_example() -> None:
    (match,) = recognise("3.00", page.SETTINGS[0])
    assert (match.formula.name, f"{match.epsilon:.6g}", match.note) == (
        "small-q-rdp-log-ratio",
        "3.00128",
        "order 8.5",
    )
    assert match.kind == "not-a-bound"
    assert [m.formula.name for m in recognise("2.50", page.SETTINGS[0])] == ["gdp-naive"]
