"""P3, P4, P5 and P11 of every registered rule on random records: norms from 1e-30 to 1e30, both types, both backends.

``test_clippers_properties`` has P1 and P2, and the same checks on records chosen by hand.
"""

from __future__ import annotations

import clipper_checks as checks
import numpy as np
import pytest
from clipper_checks import LAYERS, SPECS, context_of, make, summed
from hypothesis import given, settings
from hypothesis import strategies as st
from strict_backend import strict_backend

from refdp.backend import Backend, numpy_backend

few = settings(max_examples=max(6, settings().max_examples // 8))
every_rule = pytest.mark.parametrize("spec", SPECS)
records = {
    "seed": st.integers(0, 2**32),
    "exponents": st.lists(st.floats(-30, 29), min_size=1, max_size=4),
    "clip_exponent": st.floats(-28, 28),
    "step": st.integers(0, checks.STEPS - 1),
    "dtype": st.sampled_from([np.float32, np.float64]),
    "backend": st.sampled_from([numpy_backend(), strict_backend()]),
}


def rows_of(seed: int, exponents: list[float], dtype: type) -> np.ndarray:
    """Nine records of 4 + LAYERS numbers: mixed, one huge entry among tiny ones, ties, all zero, one repeated."""
    rows = checks.gradients(seed, exponents, 4 + LAYERS, dtype, count=5)
    return np.concatenate([rows, rows[:1]])


def rounding(rows: np.ndarray) -> float:
    """What sums of that many numbers of norm <= 1 may differ by when they are added in another order."""
    return 4 * len(rows) * float(np.finfo(rows.dtype).eps)


@every_rule
@few
@given(**records)
def test_p3_p4_a_record_s_scales_are_its_own(
    spec: str,
    seed: int,
    exponents: list[float],
    clip_exponent: float,
    step: int,
    dtype: type,
    backend: Backend,
) -> None:
    """Alone, in another order, beside other records: the same scales to the bit."""
    clipper = make(spec, 10.0**clip_exponent)
    groups = checks.slices(clipper, 4 + LAYERS)
    context = context_of(clipper, step, sizes=tuple(g.stop - g.start for g in groups))
    rows = rows_of(seed, exponents, dtype)
    norms = np.stack([np.linalg.norm(rows[:, g].astype(float), axis=1) for g in groups], axis=1)

    def scales(wanted: np.ndarray) -> np.ndarray:
        found: np.ndarray = backend.to_host(clipper.scales(backend.xp, backend.asarray(wanted), context))
        return found

    whole, order = scales(norms), np.random.default_rng(seed).permutation(len(norms))
    np.testing.assert_array_equal(scales(norms[order]), whole[order])
    for i in (0, len(norms) // 2):
        np.testing.assert_array_equal(scales(norms[i : i + 1])[0], whole[i])
        changed = norms.copy()
        changed[i] = norms[i - 1] * 1e6
        kept = np.arange(len(norms)) != i
        np.testing.assert_array_equal(scales(changed)[kept], whole[kept])


@every_rule
@few
@given(**records)
def test_p5_a_batch_may_be_split(
    spec: str,
    seed: int,
    exponents: list[float],
    clip_exponent: float,
    step: int,
    dtype: type,
    backend: Backend,
) -> None:
    clipper = make(spec, 10.0**clip_exponent)
    rows = rows_of(seed, exponents, dtype)
    groups = checks.slices(clipper, rows.shape[1])
    bound = clipper.bound(context_of(clipper, step, sizes=tuple(g.stop - g.start for g in groups)))
    whole = summed(clipper, rows, step, backend=backend).astype(float)
    for size in (1, 4):
        parts = [
            summed(clipper, rows[i : i + size], step, backend=backend) for i in range(0, len(rows), size)
        ]
        moved = np.linalg.norm(sum(part.astype(float) for part in parts) - whole)
        assert moved <= bound * rounding(rows)


@every_rule
@few
@given(**records)
def test_p11_neighbouring_sums(
    spec: str,
    seed: int,
    exponents: list[float],
    clip_exponent: float,
    step: int,
    dtype: type,
    backend: Backend,
) -> None:
    """A record more or less: at most K. Another in its place, its opposite or one far larger: at most 2K."""
    clipper = make(spec, 10.0**clip_exponent)
    rows = rows_of(seed, exponents, dtype)
    groups = checks.slices(clipper, rows.shape[1])
    context = context_of(clipper, step, sizes=tuple(g.stop - g.start for g in groups))
    bound, room = clipper.bound(context), rounding(rows) * clipper.bound(context)
    assert clipper.sensitivity("add-remove", context) == bound
    whole = summed(clipper, rows, step, backend=backend).astype(float)
    for i in (0, len(rows) - 3):
        fewer = summed(clipper, np.delete(rows, i, axis=0), step, backend=backend).astype(float)
        assert np.linalg.norm(whole - fewer) <= bound + room
        with np.errstate(over="ignore"):
            others = (-rows[i], (rows[i] * 1e6).astype(dtype), rows[i - 1])
        for other in others:
            replaced = rows.copy()
            replaced[i] = other
            moved = np.linalg.norm(whole - summed(clipper, replaced, step, backend=backend).astype(float))
            assert moved <= 2 * bound + room
