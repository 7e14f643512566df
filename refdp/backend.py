"""The one place that knows which array library computes.

Model, clipping and noise code receive the array module ``xp`` from here and never name a library.
cupy is imported only when its backend is asked for.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refdp.errors import MissingExtraError, RefDPError

Array = Any
"""An array of the backend in use: ``numpy.ndarray`` or ``cupy.ndarray``."""


@dataclass(frozen=True)
class Backend:
    """An array module and the few operations that differ between libraries.

    Attributes:
        name: ``numpy`` or ``cupy``.
        xp: the array module.
        asarray: host array -> array of this backend (copied to the device where there is one).
        to_host: array of this backend -> numpy array.
        normal: (SeedSequence, size, dtype) -> that many standard normal draws, the same for the same seed on
            every backend: they are made on the host.
        reads_are_free: whether looking at a value on the host costs nothing. False on a GPU, where it
            waits for the device.
        memory_bytes: of the device, whoever uses it; None on the host.
    """

    name: str
    xp: Any
    asarray: Callable[[np.ndarray], Array]
    to_host: Callable[[Array], np.ndarray]
    normal: Callable[[np.random.SeedSequence, int, Any], Array]
    reads_are_free: bool = True
    memory_bytes: int | None = None


def _numpy_normal(seed: np.random.SeedSequence, size: int, dtype: Any) -> np.ndarray:
    return np.random.Generator(np.random.SFC64(seed)).standard_normal(size, dtype=dtype)


def on_host(xp: Any) -> bool:
    """Whether looking at a value of this module's arrays costs nothing."""
    return bool(xp is np)


def outer_products(xp: Any, a: Array, b: Array, out: Array) -> None:
    """out[i] = a[i] ⊗ b[i] for rows of a [B, n] and b [B, m]: twice as fast by numpy's einsum; cupy's takes no out."""
    if on_host(xp):
        np.einsum("bo,bi->boi", a, b, out=out)
    else:
        xp.multiply(a[:, :, None], b[:, None, :], out=out)


def fused(formula: Callable[..., Array]) -> Callable[..., Array]:
    """(xp, *arrays) -> array as one kernel, on a device; on the host the formula runs as it stands.

    Fit for it: operators, ``astype`` and elementwise functions of xp on arrays that broadcast, and at the end, if at
    all, ``xp.sum`` over one axis. cupy.fuse traces the formula once for each combination of types and ranks, with
    variables that have neither shape nor index.
    """

    @functools.cache
    def kernel(xp: Any) -> Callable[..., Array]:
        made: Callable[..., Array] = xp.fuse(kernel_name=formula.__name__)(functools.partial(formula, xp))
        return made

    @functools.wraps(formula)
    def run(xp: Any, *arrays: Array) -> Array:
        return formula(xp, *arrays) if xp is np else kernel(xp)(*arrays)

    return run


def at_a_time(xp: Any, cached: int) -> int:
    """How many numbers to work on before the next: ``cached`` on the host, where they stay in cache between passes; a
    quarter or half of a gigabyte on a device, where each piece costs a launch of every kernel."""
    return cached if on_host(xp) else 2**26


_TF32 = ("CUPY_TF32", "NVIDIA_TF32_OVERRIDE")


def single_precision_is_kept(
    xp: Any, to_host: Callable[[Array], np.ndarray], environment: Mapping[str, str]
) -> bool:
    """Whether float32 matrix products are float32's, and not TF32's, which rounds factors to 11 bits.

    Rounding margins of clipping rules are float32's: in TF32, what is added to the sum could be above its bound.
    cupy takes TF32 where CUPY_TF32 asks for it, cuBLAS where NVIDIA_TF32_OVERRIDE does; a probe sees what else may have
    been set.
    """
    if any(environment.get(name, "0").strip() not in ("", "0") for name in _TF32):
        return False
    matrices = xp.full((2, 64, 64), 1.0 + 2.0**-12, dtype=xp.float32)
    identity = xp.eye(64, dtype=xp.float32)
    found = [xp.matmul(matrices[0], identity), xp.matmul(matrices, xp.stack([identity, identity]))[0]]
    return all(bool((to_host(product) == np.float32(1.0 + 2.0**-12)).all()) for product in found)


def numpy_backend() -> Backend:
    """The reference backend."""
    return Backend("numpy", np, np.ascontiguousarray, np.asarray, _numpy_normal)


def cupy_backend() -> Backend:
    """CUDA through cupy. Raises MissingExtraError without cupy, RefDPError without a usable device.

    Noise is drawn on the host, while the device is at work. cupy's own generators keep 32 bits of a seed (14.2,
    ``cupy/random/_bit_generator.pyx``): whoever tries 2^32 of them could take a step's noise off, and of 10,000 steps
    two would have the same noise with probability 1 %.
    """
    try:
        import cupy
    except ImportError as error:
        raise MissingExtraError(
            "backend = 'cupy': cupy is not installed; install refdp[cuda12] or refdp[cuda13]"
        ) from error
    try:
        cupy.cuda.runtime.getDeviceCount()
        exact = single_precision_is_kept(cupy, cupy.asnumpy, os.environ)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise RefDPError(f"backend = 'cupy': no usable CUDA device ({reason}); use numpy") from error
    if not exact:
        raise RefDPError(
            "backend = 'cupy': float32 products would be rounded to TF32, and clipped gradients could leave their "
            f"bound; unset {' and '.join(_TF32)}"
        )

    def normal(seed: np.random.SeedSequence, size: int, dtype: Any) -> Array:
        return cupy.asarray(_numpy_normal(seed, size, dtype))

    memory = int(cupy.cuda.runtime.memGetInfo()[1])
    return Backend(
        "cupy", cupy, cupy.asarray, cupy.asnumpy, normal, reads_are_free=False, memory_bytes=memory
    )


_BACKENDS = {"numpy": numpy_backend, "cupy": cupy_backend}


def get_backend(name: str) -> Backend:
    """The backend of that name: ``numpy`` or ``cupy``."""
    if name not in _BACKENDS:
        raise RefDPError(f"backend = {name!r}: must be one of {', '.join(_BACKENDS)}")
    return _BACKENDS[name]()
