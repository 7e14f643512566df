"""The one place that knows which array library computes.

Model, clipping and noise code receive the array module ``xp`` from here and never name a library.
cupy is imported only when its backend is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
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
        normal: (SeedSequence, size, dtype) -> that many standard normal draws of this backend; the same
            seed gives the same draws on the same backend.
        reads_are_free: whether looking at a value on the host costs nothing. False on a GPU, where it
            waits for the device.
    """

    name: str
    xp: Any
    asarray: Callable[[np.ndarray], Array]
    to_host: Callable[[Array], np.ndarray]
    normal: Callable[[np.random.SeedSequence, int, Any], Array]
    reads_are_free: bool = True


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


def numpy_backend() -> Backend:
    """The reference backend."""
    return Backend("numpy", np, np.ascontiguousarray, np.asarray, _numpy_normal)


def cupy_backend() -> Backend:
    """CUDA through cupy. Raises MissingExtraError without cupy, RefDPError without a usable device."""
    try:
        import cupy
    except ImportError as error:
        raise MissingExtraError(
            "backend = 'cupy': cupy is not installed; install refdp[cuda12] or refdp[cuda13]"
        ) from error
    try:
        cupy.cuda.runtime.getDeviceCount()
        cupy.zeros(1)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise RefDPError(f"backend = 'cupy': no usable CUDA device ({reason}); use numpy") from error

    def normal(seed: np.random.SeedSequence, size: int, dtype: Any) -> Array:
        state = int.from_bytes(seed.generate_state(2, np.uint32).tobytes(), "little")
        generator = cupy.random.Generator(cupy.random.Philox4x3210(state))
        return generator.standard_normal(size, dtype=dtype)

    return Backend("cupy", cupy, cupy.asarray, cupy.asnumpy, normal, reads_are_free=False)


_BACKENDS = {"numpy": numpy_backend, "cupy": cupy_backend}


def get_backend(name: str) -> Backend:
    """The backend of that name: ``numpy`` or ``cupy``."""
    if name not in _BACKENDS:
        raise RefDPError(f"backend = {name!r}: must be one of {', '.join(_BACKENDS)}")
    return _BACKENDS[name]()
