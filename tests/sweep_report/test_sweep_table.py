"""The tables: words for numbers that stay bounds, alignment, marks."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sweep_synthetic import make_config, make_run, make_runs

from refdp.sweep.summary import summarise
from refdp.sweep.table import plain_table, sweep_table
from refdp.sweep.words import delta_text, epsilon_text, upper_text


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (3.1, 3.43, "3.10-3.43"),
        (None, 3.43, "<= 3.43"),
        (3.1, None, ">= 3.10"),
        (None, None, "unknown"),
        ("inf", "inf", "inf"),
        (None, "inf", "inf"),
        (5, "inf", "5.00-inf"),
        (0.85296, 0.85299, "0.852-0.853"),
        (3.85, 3.85, "3.85"),
        (0, 9.999, "0-10.0"),
        (101_918.3, 101_918.3, "1.01e5-1.02e5"),
        (284.01, 1234.0, "284-1240"),
        (5e-324, 2.5e-7, "5.00e-324-2.50e-7"),
    ],
)
def test_epsilon(lower: Any, upper: Any, text: str) -> None:
    assert epsilon_text({"lower": lower, "upper": upper}) == text


@given(st.floats(1e-300, 1e300))
def test_rounding_keeps_bounds_bounds(value: float) -> None:
    assert float(upper_text({"upper": value})) >= value
    assert float(epsilon_text({"lower": value, "upper": None}).removeprefix(">= ")) <= value


def test_delta() -> None:
    assert [delta_text(delta) for delta in (1e-5, 1e-12, 0.001)] == ["1e-5", "1e-12", "0.001"]


def _mixed() -> dict[str, Any]:
    """Two clippings, one cell not run, one below half the baseline, one with fewer seeds."""
    runs = [make_run(0, None, seed, 0.99) for seed in (42, 123, 456)]
    for clipping, noise, accuracy in (("flat", 1.0, 0.9), ("flat", 2.0, 0.4), ("auto-s", 1.0, 0.8)):
        seeds = (42, 123) if clipping == "auto-s" else (42, 123, 456)
        runs += [make_run(noise, 1.0, seed, accuracy, clipping=clipping) for seed in seeds]
    config = make_config(noise_multipliers=[1.0, 2.0], clip_norms=[1.0], clippings=["auto-s", "flat"])
    return summarise(config, runs)


def test_plain_table_of_s1_is_aligned() -> None:
    lines = plain_table(summarise(make_config(), make_runs())).splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("noise multiplier"))
    assert len(lines[head + 1].split("   ")[-1]) > 0
    for name in ("noise multiplier", "epsilon", "C = 0.1", "C = 1 ", "C = 10"):
        end = lines[head].index(name) + len(name.rstrip())
        for line in lines[head + 1 : head + 8]:
            assert line[end - 1] != " ", (name, line)
            assert line[end : end + 1] in ("", " "), (name, line)
    assert lines[head + 3].split()[:2] == ["0.5", "74.9-77.3"]
    assert "without privacy: 0.995 ±0.005 over 3 seeds" in lines


def test_marks_missing_cells_and_fewer_seeds() -> None:
    text = plain_table(_mixed())
    assert "0.900 ±0.000 *" in text
    assert "0.400 ±0.000 !" in text
    assert "0.800 ±0.000 (n=2) " in text
    assert "0.800 ±0.000 (n=2) *" not in text
    assert "* best at its noise level; ! below half the baseline; 11 of 15 runs done" in text


@given(st.integers(40, 200))
def test_plain_table_keeps_to_its_width(width: int) -> None:
    longest = max(map(len, plain_table(_mixed(), width).splitlines()))
    assert longest <= max(width, 62)


def test_one_seed_has_no_spread() -> None:
    config = make_config(noise_multipliers=[1.0], clip_norms=[1.0], seeds=[42])
    text = plain_table(summarise(config, [make_run(0, None, 42, 0.99), make_run(1.0, 1.0, 42, 0.95)]))
    assert "0.950 *" in text
    assert "without privacy: 0.990 over 1 seed\n" in text
    assert "±" not in text.split("\n", 1)[1]


def test_rich_table() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="standard")
    console.print(sweep_table(summarise(make_config(), make_runs())))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1.70-1.76" in text
    assert "0.813 ±0.006 *" in text
    assert "delta = 1e-5, zero-out, fixed-order" in text
