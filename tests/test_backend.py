"""The array libraries' one place: fused formulas, float32 that is float32, noise that is the same everywhere."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from strict_backend import strict_backend

from refdp import chunks
from refdp.backend import at_a_time, fused, get_backend, numpy_backend, single_precision_is_kept
from refdp.errors import RefDPError
from refdp.models import models
from refdp.models.layers import ghost
from refdp.models.shapes import natural
from refdp.norms import squared_rows


def tf32(a: Any) -> Any:
    """Rounded to 11 significant bits."""
    mantissa, exponent = np.frexp(a)
    return np.ldexp(np.rint(mantissa * 2**11) / 2**11, exponent).astype(a.dtype)


def fake_cupy(rounds_at: tuple[int, ...] = ()) -> Any:
    """numpy under cupy's names, with products of so many axes taken in TF32."""

    def matmul(a: Any, b: Any) -> Any:
        return np.matmul(tf32(a), tf32(b)) if a.ndim in rounds_at else np.matmul(a, b)

    runtime = SimpleNamespace(getDeviceCount=lambda: 1, memGetInfo=lambda: (2**30, 2**36))
    names = {name: getattr(np, name) for name in ("full", "eye", "stack", "float32", "asarray")}
    return SimpleNamespace(**names, matmul=matmul, asnumpy=np.asarray, cuda=SimpleNamespace(runtime=runtime))


def test_rounded_products_are_noticed() -> None:
    assert single_precision_is_kept(np, np.asarray, {})
    for axes in ((2,), (3,), (2, 3)):
        assert not single_precision_is_kept(fake_cupy(axes), np.asarray, {})


@pytest.mark.parametrize("name", ["CUPY_TF32", "NVIDIA_TF32_OVERRIDE"])
def test_tf32_is_refused_where_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    monkeypatch.setenv(name, "0")
    assert get_backend("cupy").name == "cupy"
    monkeypatch.setenv(name, "1")
    with pytest.raises(RefDPError, match=r"rounded to TF32.*unset CUPY_TF32"):
        get_backend("cupy")
    monkeypatch.delenv(name)
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy((2,)))
    with pytest.raises(RefDPError, match="rounded to TF32"):
        get_backend("cupy")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_device_has_the_hosts_noise(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the seed counts: cupy's own generators keep 32 bits of it."""
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    draws = [
        backend.normal(np.random.SeedSequence(2**100 + 1, spawn_key=(2, 7)), 50, dtype)
        for backend in (numpy_backend(), get_backend("cupy"))
    ]
    np.testing.assert_array_equal(*draws)
    assert draws[1].dtype == dtype


@fused
def _shifted(xp: Any, a: Any, b: Any) -> Any:
    y = a * b
    y += 1
    return y


def test_a_formula_is_one_kernel_on_a_device() -> None:
    a, b = np.arange(6.0).reshape(2, 3), np.full((2, 1), 0.5)
    backend = strict_backend()
    for _ in range(2):
        found = _shifted(backend.xp, backend.asarray(a), backend.asarray(b))
        np.testing.assert_array_equal(backend.to_host(found), a / 2 + 1)
    assert backend.xp.kernels == {"_shifted": 2}
    np.testing.assert_array_equal(_shifted(np, a, b), a / 2 + 1)


@pytest.mark.parametrize(
    "formula",
    [
        lambda xp, a: a[:, 0],
        lambda xp, a: a * a.shape[0],
        lambda xp, a: a.reshape(3, 2),
        lambda xp, a: a.T,
        lambda xp, a: a.sum(axis=1),
        lambda xp, a: xp.matmul(a, a),
        lambda xp, a: xp.zeros_like(a),
    ],
)
def test_what_cannot_be_fused_is_refused(formula: Any) -> None:
    backend = strict_backend()
    formula.__name__ = "made"
    with pytest.raises(TypeError, match=r"cupy\.fuse cannot"):
        fused(formula)(backend.xp, backend.asarray(np.ones((2, 3))))
    backend.asarray(np.ones((2, 3))).sum(axis=1)  # elsewhere it may


def test_norms_of_rows_are_the_same_on_a_device() -> None:
    rows = np.random.default_rng(0).standard_normal((3, 70_001)).astype(np.float32)
    rows[0] *= 1e25
    backend = strict_backend()
    found = backend.to_host(squared_rows(backend.xp, backend.asarray(rows)))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, squared_rows(np, rows), rtol=1e-13)
    for shape in ((0, 4), (4, 0)):
        empty = squared_rows(backend.xp, backend.asarray(np.ones(shape)))
        np.testing.assert_array_equal(backend.to_host(empty), np.zeros(shape[0]))


def test_a_device_works_on_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pieces that stay in a host's cache would be hundreds of launches."""
    backend = strict_backend()
    assert at_a_time(np, 7) == 7
    assert at_a_time(backend.xp, 7) > 10**7
    rng, products = np.random.default_rng(0), []
    matmul = type(backend.asarray(np.ones(1))).__matmul__
    monkeypatch.setattr(
        type(backend.asarray(np.ones(1))), "__matmul__", lambda a, b: (products.append(1), matmul(a, b))[1]
    )
    monkeypatch.setattr(ghost, "_GRAM", 4)
    cut, rows = (backend.asarray(rng.standard_normal((6, 4, n))) for n in (5, 3))
    assert ghost.products(backend.xp, cut, rows, []).squares.shape == (6, 3)
    assert len(products) == 2


@pytest.mark.parametrize("model", ["mlp", "mnistnet", "resnet20", "wrn-16-4"])
def test_a_device_takes_a_batch_whole(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks follow from the device and the model, not from what memory is free."""
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    backend = get_backend("cupy")
    assert backend.memory_bytes == 2**36
    size = models.create(model).build(*natural(model)).size
    assert 256 <= chunks._chunk(backend, 4 * size) == min(2**36 // 8 // (4 * size), 4096)
