"""Scales against oracles written from the papers' formulas, one record at a time, in high precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from clipper_checks import LAYERS, NAMES, SIZES, STEPS, context_of, contexts, make, norms_of
from mpmath import mp, mpf

from refdp.clippers import ClipContext, rounding_margin

Oracle = Callable[[list[float], float, int, int], list[float]]
"""(norms of the record's groups, C, step, number of steps) -> scales."""


def of_norm(weight: Callable[[mpf, mpf], mpf]) -> Oracle:
    """An oracle from w(n, C)."""
    return lambda norms, c, step, steps: [float(weight(mpf(n), mpf(c))) for n in norms]


def each(thresholds: Callable[[float, int, int], list[mpf]]) -> Oracle:
    """Each group clipped to its own threshold, from (C, step, steps)."""

    def oracle(norms: list[float], c: float, step: int, steps: int) -> list[float]:
        limits = thresholds(c, step, steps)
        return [1.0 if n <= t else float(t / mpf(n)) for n, t in zip(norms, limits, strict=True)]

    return oracle


def shared(*shares: float) -> Oracle:
    """C divided in these proportions, squares summing to C^2."""
    total = mp.sqrt(sum(mpf(share) ** 2 for share in shares))
    return each(lambda c, step, steps: [mpf(c) * mpf(share) / total for share in shares])


per_layer = shared(*[1] * LAYERS)
dynamic = each(lambda c, step, steps: [mpf(c) * mpf(2) ** (-mpf(step) / steps)])
quantile = each(lambda c, step, steps: [mpf(c) * mp.exp(mp.sin(step))])  # as context_of has it
per_layer_quantile = each(
    lambda c, step, steps: [mpf(c) / mp.sqrt(LAYERS) * mp.exp(mp.sin(k * step)) for k in range(1, LAYERS + 1)]
)


def water_filling(norms: list[float], c: float, step: int, steps: int) -> list[float]:
    return _water_filling(tuple(norms), c)


@cache
def _water_filling(norms: tuple[float, ...], c: float) -> list[float]:
    """tau by bisection in exact fractions, to 2^-90 of the largest norm."""
    exact, budget = [Fraction(n) for n in norms], Fraction(c) ** 2
    if sum(n**2 for n in exact) <= budget:
        return [1.0] * len(norms)
    low, high = Fraction(0), min(max(exact), Fraction(c))
    for _ in range(90):
        tau = (low + high) / 2
        if sum(min(n, tau) ** 2 for n in exact) <= budget:
            low = tau
        else:
            high = tau
    return [float(min(Fraction(1), low / n)) if n else 1.0 for n in exact]


def radial_mix(m0: str, m1: str, gamma: str) -> Oracle:
    def oracle(norms: list[float], c: float, step: int, steps: int) -> list[float]:
        (n,), clip = (mpf(norm) for norm in norms), mpf(c)
        progress = (1 - mp.cos(mp.pi * step / (steps - 1))) / 2 if steps > 1 else mpf(0)
        m = mpf(m0) + (mpf(m1) - mpf(m0)) * progress
        flat = mpf(1) if n <= clip else clip / n
        return [float((1 - m) * flat + m * clip / (n + mpf(gamma) * clip))]

    return oracle


flat = of_norm(lambda n, c: mpf(1) if n <= c else c / n)
auto_v = of_norm(lambda n, c: c / n if n else mpf(0))
auto_s = of_norm(lambda n, c: c / (n + mpf("0.01")))
relative = of_norm(lambda n, c: c / (n + mpf("0.01") * c))
psac = of_norm(lambda n, c: c / (n + mpf("0.1") / (n + mpf("0.1"))))
psasc = of_norm(lambda n, c: c / (mpf("0.7") * n + mpf("0.1") / (n + mpf("0.1"))))
global_clipping = of_norm(lambda n, c: mpf(1) if n <= c else mpf(0))

ORACLES: dict[str, Oracle] = {
    "flat": flat,
    "per-layer": per_layer,
    "water-filling": water_filling,
    "auto-v": auto_v,
    "auto-s": auto_s,
    "auto-s:relative=true": relative,
    "nsgd": auto_s,
    "nsgd:r=0.5": of_norm(lambda n, c: c / (n + mpf("0.5"))),
    "psac": psac,
    "psac:r=2": of_norm(lambda n, c: c / (n + 2 / (n + 2))),
    "psasc": psasc,
    "psasc:s=1": psac,
    "per-layer:bounds=dimension,allocation=equal": shared(*[mp.sqrt(size) for size in SIZES]),
    "per-layer:bounds=1/2/0.5/3/1/1e-3,allocation=dimension": shared(1, 2, 0.5, 3, 1, 1e-3),
    "dynamic": dynamic,
    "dynamic:rho_c=0.1": each(lambda c, step, steps: [mpf(c) * mpf(10) ** (mpf(step) / steps)]),
    "quantile": quantile,
    "per-layer-quantile": per_layer_quantile,
    "radial-mix": radial_mix("0.15", "0.8", "0.02"),
    "radial-mix:variant=0c,epochs=15": radial_mix("0.1", "0.675", "0.025"),
    "radial-mix:variant=0c,epochs=90": radial_mix("0.15", "0.8", "0.02"),
    "radial-mix:m0=1,m1=0,gamma=0.3": radial_mix("1", "0", "0.3"),
    "global": global_clipping,
    "global:ratio=4": of_norm(lambda n, c: mpf("0.25") if n <= 4 * c else mpf(0)),
}


def check_formula(spec: str) -> None:
    """The scales are the oracle's, for norms 0, tiny, around C and huge, at several steps."""
    for clip_norm in (1e-25, 0.3, 1.0, 1e20):
        clipper = make(spec, clip_norm)
        layers = LAYERS if clipper.per_group else 1
        norms = np.concatenate(
            [
                norms_of(clipper, count=8) * clip_norm,
                norms_of(clipper, count=5),
                np.tile([[1e-30], [1e-20], [1e-9], [1e30]], layers),
            ]
        )
        for context in [*contexts(clipper), context_of(clipper, 0, 1)]:
            scales = clipper.scales(np, norms, context)
            for row, got in zip(norms.tolist(), scales.tolist(), strict=True):
                expected = ORACLES[spec](row, clip_norm, context.step, context.steps)
                assert got == pytest.approx(expected, rel=1e-12, abs=0), (
                    f"{spec}: not the paper's formula at {row}"
                )


@pytest.mark.parametrize("spec", ORACLES)
def test_scales_are_the_formula(spec: str) -> None:
    check_formula(spec)


def test_every_rule_has_an_oracle() -> None:
    missing = set(NAMES) - set(ORACLES)
    assert not missing, f"{sorted(missing)}: write the formula of each as an oracle in this file"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layers", [1, 2, 5, 60])
def test_water_filling_fits_in_exact_arithmetic_and_wastes_nothing(layers: int, dtype: type) -> None:
    """Adversarial rows up to 1e12 C: sum_l (w_l n_l)^2 <= C^2 exactly, and C is reached."""
    rng, c = np.random.default_rng(layers), 0.7
    margin = rounding_margin(dtype)
    clipper = make("water-filling", c)
    rows = c * 10.0 ** rng.uniform(-2, rng.uniform(-1, 12, (300, 1)), (300, layers))
    scales = clipper.scales(np, rows, ClipContext(0, 1, margin, (1,) * layers))
    for norms, row in zip(rows.tolist(), scales.tolist(), strict=True):
        total = sum((Fraction(n) * Fraction(s)) ** 2 for n, s in zip(norms, row, strict=True))
        assert total <= Fraction(c) ** 2
        if math.hypot(*norms) > c:
            assert total >= Fraction(c) ** 2 * (1 - 4 * Fraction(margin))
        else:
            assert total == pytest.approx(sum(n * n for n in norms), rel=4 * margin)


def test_psac_peaks_where_the_paper_says() -> None:
    """n* = sqrt(r) - r with weight C / (2 sqrt(r) - r), and C at 0."""
    norms = np.linspace(0, 2, 200001)[:, None]
    weights = make("psac").scales(np, norms, ClipContext(0, 9, 0.0))[:, 0]
    assert norms[weights.argmax(), 0] == pytest.approx(math.sqrt(0.1) - 0.1, abs=2e-5)
    assert weights.max() == pytest.approx(1 / (2 * math.sqrt(0.1) - 0.1), rel=1e-9)
    assert weights[0] == pytest.approx(1, rel=1e-12)


def test_psasc_is_psac_in_other_units() -> None:
    """PSASC(C, s, r) = (C / s) / (n + (r / s) / (n + r)), so s w / C falls with s at every norm."""
    norms = np.geomspace(1e-3, 1e3, 50)[:, None]
    relative = [
        s * make(f"psasc:s={s}").scales(np, norms, ClipContext(0, 9, 0.0)) for s in (0.3, 0.5, 0.7, 0.8, 1)
    ]
    assert (np.diff(relative, axis=0) > 0).all()
    assert make("psasc:s=0.25", 2.0).bound(ClipContext(0, 1, 0.0)) == 8.0


def test_the_mix_runs_from_m0_to_m1() -> None:
    clipper = make("radial-mix:m0=0.2,m1=0.9")
    mixes = [clipper.mix(ClipContext(t, STEPS, 0.0)) for t in range(STEPS)]  # type: ignore[attr-defined]
    assert mixes[0] == 0.2
    assert mixes[-1] == pytest.approx(0.9, abs=1e-15)
    assert mixes == sorted(mixes)
    assert mixes[STEPS // 2] == pytest.approx(0.55, abs=1e-15)
