"""The models on an array library that is not numpy, and that the stand-in for it is strict."""

import gradient_checks as checks
import numpy as np
import pytest
from strict_backend import StrictArray, strict_backend

from refdp.models.memory import keep_freed_memory


@pytest.mark.parametrize("spec", checks.SPECS)
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_models_give_the_same_on_the_strict_backend(spec, batch):
    network, theta, x, labels = checks.problem(spec, batch, dtype=np.float32)
    wanted_losses, wanted = checks.gradients(network, theta, x, labels)
    backend = strict_backend()
    out = backend.asarray(np.full((batch, network.size), np.nan, dtype=np.float32))
    losses = network.per_sample_gradients(backend.xp, *map(backend.asarray, (theta, x, labels)), out)
    logits = network.logits(backend.xp, backend.asarray(theta), backend.asarray(x))
    assert backend.xp.reads == 0  # nothing waits for the device
    wanted_logits = network.logits(np, theta, x)
    for found, value in ((losses, wanted_losses), (out, wanted), (logits, wanted_logits)):
        scale = float(
            np.abs(value).max(initial=0.0)
        )  # the device sums in another order where that is one kernel
        np.testing.assert_allclose(backend.to_host(found), value, rtol=1e-5, atol=1e-5 * scale)
    assert backend.xp.reads == 3


A = StrictArray(np.arange(4.0))
XP = strict_backend().xp


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: A + np.ones(4),
        lambda: np.ones(4) + A,
        lambda: A * np.float32(2),
        lambda: np.ones((4, 4)) @ A,
        lambda: A.__lt__(np.ones(4)),
        lambda: A.__iadd__(np.ones(4)),
        lambda: np.ones(4).__iadd__(A),
        lambda: np.sum(A),
        lambda: np.exp(A),
        lambda: np.asarray(A),
        lambda: np.where(A > 0, 1, 0),
        lambda: float(A[0]),
        lambda: int(A[0]),
        lambda: bool(A[0] > 0),
        lambda: [1, 2, 3][A[0]],
        lambda: list(A),
        lambda: 1.0 in A,
        lambda: A[0].item(),
        lambda: A.tolist(),
        lambda: A[np.array([0, 1])],
        lambda: A[[0, 1]],
        lambda: A.__setitem__(0, np.float64(1)),
        lambda: A.__setitem__(slice(None), np.ones(4)),
        lambda: XP.sum(np.ones(4)),
        lambda: XP.asarray(np.ones(4)),
        lambda: XP.concatenate([A, np.ones(4)]),
        lambda: XP.exp(A, out=np.ones(4)),
        lambda: XP.einsum("a,a->", A, A, out=A),
        lambda: XP.sum(A, where=A > 0),
        lambda: bool(XP.allclose(A, A)),
    ],
)  # fmt: skip
def test_misuse_raises(misuse):
    with pytest.raises(TypeError):
        misuse()


def test_the_strict_namespace_is_a_whitelist():
    for name in ("errstate", "random", "vectorize", "apply_along_axis", "nditer"):
        with pytest.raises(AttributeError, match="not in the strict namespace"):
            getattr(XP, name)


def test_forbidding_reads():
    backend = strict_backend(forbid_reads=True)
    with pytest.raises(AssertionError, match="host read"):
        backend.to_host(backend.asarray(np.ones(2)))


def test_what_clippers_noise_and_optimizers_need_works():
    backend = strict_backend()
    xp = backend.xp
    host = np.random.default_rng(0).standard_normal((5, 7)).astype(np.float32)
    g = backend.asarray(host)
    norms = xp.sqrt(xp.einsum("bd,bd->b", g, g))
    weights = xp.where(xp.isfinite(norms), xp.minimum(1.0, 2.0 / norms), 0.0)
    assert weights.dtype == np.float32
    total = xp.zeros(7, dtype=xp.float32)
    xp.matmul(weights, g, out=total)
    noise = backend.normal(np.random.SeedSequence(3), 7, np.float32)
    noise *= 0.5
    total += noise
    g[norms > 2.5] = 0
    kept = g[norms <= 2.5]
    mean = xp.sum(kept.astype(xp.float64), axis=0, dtype=xp.float64) / max(kept.shape[0], 1)
    host_norms = np.sqrt(np.einsum("bd,bd->b", host, host))
    host_noise = np.random.Generator(np.random.SFC64(np.random.SeedSequence(3))).standard_normal(
        7, np.float32
    )
    wanted = np.minimum(1, 2 / host_norms) @ host + host_noise * np.float32(0.5)
    np.testing.assert_allclose(backend.to_host(total), wanted, rtol=1e-5)
    np.testing.assert_allclose(backend.to_host(mean), host[host_norms <= 2.5].astype(float).mean(axis=0))
    assert isinstance(total.sum(), StrictArray)
    assert total.sum().shape == ()
    assert xp.reads == 2


def test_in_place_writes_reach_views():
    backend = strict_backend()
    a = backend.asarray(np.zeros((2, 3)))
    a[:, 1:].reshape(2, 2)[...] = 1.0
    row = a[0]
    row += 1
    np.testing.assert_array_equal(backend.to_host(a), [[1, 2, 2], [0, 1, 1]])


def test_keeping_freed_memory_changes_no_result():
    network, theta, x, labels = checks.problem("mlp", 4)
    before = checks.gradients(network, theta, x, labels)
    keep_freed_memory()
    for one, two in zip(before, checks.gradients(network, theta, x, labels), strict=True):
        np.testing.assert_array_equal(one, two)
