"""Q1: how far a record moves the counts of an adaptive clipping rule."""

from __future__ import annotations

import itertools
import math

import adaptive_checks as checks
import clipper_checks
import numpy as np
import pytest
from adaptive_checks import assert_counts_move, counted
from clipper_checks import LAYERS, make
from hypothesis import given, settings
from hypothesis import strategies as st
from strict_backend import strict_backend

RULES = ("quantile", "per-layer-quantile")
every_rule = pytest.mark.parametrize("name", RULES)
mixtures = {
    "seed": st.integers(0, 2**32),
    "exponents": st.lists(st.floats(-30, 29), min_size=1, max_size=4),
    "size": st.integers(1, 40),
    "dtype": st.sampled_from([np.float32, np.float64]),
}


def rows_of(name: str, seed: int, exponents: list[float], size: int, dtype: type) -> np.ndarray:
    return clipper_checks.gradients(seed, exponents, size + LAYERS, dtype, count=2)


@every_rule
def test_counts_are_centred_indicators(name: str) -> None:
    checks.check_counts(name)


@every_rule
def test_a_record_of_the_trainer_moves_the_counts_by_half_a_root_of_l(name: str) -> None:
    checks.check_count_moves(name)


@every_rule
@given(**mixtures)
def test_a_record_moves_the_counts_by_half_a_root_of_l(
    name: str, seed: int, exponents: list[float], size: int, dtype: type
) -> None:
    rows = rows_of(name, seed, exponents, size, dtype)
    assert_counts_move(name, rows, -rows[-2] * 3)
    assert_counts_move(name, rows[:1], rows[-1])  # nobody is left


@every_rule
@settings(max_examples=8)
@given(**mixtures)
def test_counts_on_the_strict_backend(
    name: str, seed: int, exponents: list[float], size: int, dtype: type
) -> None:
    rows, backend = rows_of(name, seed, exponents, size, dtype), strict_backend()
    assert_counts_move(name, rows, rows[-1], backend)
    np.testing.assert_array_equal(counted(name, rows, 3, backend), counted(name, rows, 3))


@every_rule
def test_counts_of_parts_add_up_exactly(name: str) -> None:
    rows = np.concatenate([clipper_checks.gradients(s, [-3, 0, 2], 30, np.float64) for s in range(3)])
    rows[4, 7] = math.nan
    whole = counted(name, rows)
    assert whole.any()
    for size in (1, 2, 7, 20):
        parts = [counted(name, rows[i : i + size]) for i in range(0, len(rows), size)]
        assert np.sum(parts, axis=0).tolist() == whole.tolist()


@every_rule
def test_the_largest_movements_are_attained(name: str) -> None:
    """sqrt(L) / 2 by removal and sqrt(L) by replacement: the sensitivity charged is not larger than needed."""
    layers = LAYERS if make(name).per_group else 1
    tiny, large = np.full((1, 30), 1e-9), np.full((1, 30), 1e9)
    assert np.linalg.norm(counted(name, large)) == math.sqrt(layers) / 2
    assert np.linalg.norm(counted(name, large) - counted(name, tiny)) == math.sqrt(layers)
    for sizes in ((3,), (1, 2, 3, 5)):
        charged = make(name).count_sensitivity(len(sizes))  # type: ignore[attr-defined]
        assert charged == math.sqrt(len(sizes)) / 2


@every_rule
def test_a_record_counts_by_its_own_norm_only(name: str) -> None:
    rows = clipper_checks.gradients(1, [-1, 0, 1], 30, np.float64)
    alone = [counted(name, row[None]) for row in rows]
    for i, j in itertools.combinations(range(len(rows)), 2):
        assert counted(name, rows[[i, j]]).tolist() == (alone[i] + alone[j]).tolist()
