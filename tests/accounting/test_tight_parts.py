"""The tight engine's building blocks against direct evaluation: pairs, edges, moments, decay."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from refdp.accounting.contour import line
from refdp.accounting.decay import decay
from refdp.accounting.edges import REACH, edges
from refdp.accounting.errors import AccountingError
from refdp.accounting.pairs import Mixture, Pair, poisson_pairs, poisson_replace_pair

CELLS = [(0.01, 1.1), (0.3, 0.7), (1e-4, 2.0)]
PAIRS = [
    (pair.oriented(), s) for q, s in CELLS for pair in (*poisson_pairs(q), *poisson_replace_pair(q))
]  # and the noise multiplier


def log_density(pair: Pair, sigma: float, t: np.ndarray, tilt: float) -> np.ndarray:
    log_a, log_b = pair.p.log(t, sigma), pair.q.log(t, sigma)
    return -0.5 * t * t + (1 + tilt) * log_a - tilt * log_b


@pytest.mark.parametrize(("pair", "sigma"), PAIRS)
def test_the_loss_of_an_oriented_pair_rises(pair: Pair, sigma: float) -> None:
    t = np.linspace(-30, 30, 4001)
    log_a, log_b = pair.p.log(t, sigma), pair.q.log(t, sigma)
    steps = np.diff(log_a - log_b)
    assert np.all(steps >= -1e-13)
    assert steps.max() > 0


def test_overlapping_means_are_refused() -> None:
    with pytest.raises(AccountingError, match="overlap"):
        Pair(Mixture((2.0,), (0.5,)), Mixture((1.0,), (0.5,)))


@pytest.mark.parametrize(("pair", "sigma"), PAIRS)
@pytest.mark.parametrize("tilt", [0.3, 4.0, 60.0])
def test_beyond_the_edges_the_density_falls(pair: Pair, sigma: float, tilt: float) -> None:
    sigmas = np.array([sigma])
    low, high = edges(pair, sigmas, tilt)
    for start, away in ((low, -1.0), (high, 1.0)):
        t = start + away * np.linspace(0, 20, 400)
        slope = np.diff(log_density(pair, sigma, t, tilt)) / np.abs(np.diff(t))
        assert np.all(slope <= -REACH * (1 - 1e-9))


def moment(pair: Pair, sigma: float, z: complex) -> complex:
    """E_P[e^{z loss}] in 30 digits."""
    s = mpmath.mpf(sigma)

    def mixture(law: Mixture, t: object) -> object:
        return 1 + sum(
            mpmath.mpf(w) * mpmath.expm1(t * m / s - mpmath.mpf(m) ** 2 / (2 * s * s))
            for m, w in zip(law.means, law.weights, strict=True)
        )

    def integrand(t: object) -> object:
        loss = mpmath.log(mixture(pair.p, t) / mixture(pair.q, t))
        return mpmath.npdf(t) * mixture(pair.p, t) * mpmath.exp(mpmath.mpc(z) * loss)

    with mpmath.workdps(30):
        return complex(mpmath.quad(integrand, mpmath.linspace(-24, 36, 31)))


@pytest.mark.parametrize(("pair", "sigma"), PAIRS[:6])
def test_moments_on_the_line(pair: Pair, sigma: float) -> None:
    tilt, step = 1.7, 0.9
    found = line(pair, np.array([sigma]), tilt, 100.0)
    assert found is not None
    true = moment(pair, sigma, complex(tilt))
    assert abs(np.log(true.real) - found.log_scale[0]) <= found.scale_error[0] + 1e-15
    ((_, excess, error),) = found.excesses(step, 12)
    for k in (1, 5, 11):
        assert abs(moment(pair, sigma, complex(tilt, k * step)) / true - 1 - excess[k]) <= error[k]
        assert error[k] < 1e-9


@pytest.mark.parametrize(("pair", "sigma"), PAIRS)
def test_the_decay_is_never_underestimated(pair: Pair, sigma: float) -> None:
    tilt, step, sigmas = 2.0, 4.0, np.array([sigma])
    found = line(pair, sigmas, tilt, 1.0)
    assert found is not None
    ((_, excess, error),) = found.excesses(step, 400)
    size = np.abs(1 + excess) - error
    frequencies = step * np.array([2.0, 10.0, 50.0, 200.0])
    bounds = np.exp(decay(pair, sigmas, tilt, found.log_scale).log_bounds(frequencies, np.array([1.0])))
    for frequency, bound in zip(frequencies[:-1], bounds[:-1], strict=True):
        place = round(frequency / step)
        following = round(frequencies[list(frequencies).index(frequency) + 1] / step)
        assert size[place : following + 1].max() <= bound
    assert size[200:].max() <= bounds[-1]
