"""JAX's default generator in numpy: the same key gives the same bits, uniforms and normals.

Threefry-2x32 of 20 rounds (Salmon, Moraes, Dror & Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011): a key
of two words turns a counter of two words into two words. Nothing is used up; on top of it jax has, for a key k,

key(seed)           (0, seed)
split(k, n)         key i is threefry(k, (0, i))
fold_in(k, data)    threefry(k, (0, data))
bits(k, n)          value i is the exclusive or of both words of threefry(k, (0, i))
uniform(k, n)       the upper 23 bits of each as f in [0, 1), then f (high - low) + low, rounded to float32 once
normal(k, n)        sqrt(2) erfinv(u), u uniform in (-1, 1)

This is jax_threefry_partitionable = True, the default since jax 0.5; with False, split and bits count in another order,
and those are not offered. Arrays of any shape are filled in C order; counters' upper words are i >> 32.

Source: jax/_src/random/threefry2x32.py and core.py of jax 0.10.2; held against it by tests/replay.
"""

from __future__ import annotations

import numpy as np

from refdp.errors import RefDPError
from refdp.validate import whole

Key = tuple[int, int]
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_CENTRE = np.array(
    [
        2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
        -0.00417768164, 0.246640727, 1.50140941,
    ],
    dtype=np.float32,
)  # fmt: skip
_TAIL = np.array(
    [
        -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
        0.00943887047, 1.00167406, 2.83297682,
    ],
    dtype=np.float32,
)  # fmt: skip


def threefry2x32(key: Key, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counters' words, uint32 and of one shape -> two arrays of that shape, uint32."""
    keys = tuple(np.uint32(word) for word in (*key, key[0] ^ key[1] ^ _PARITY))
    a, b = first.astype(np.uint32) + keys[0], second.astype(np.uint32) + keys[1]
    for block in range(5):
        for turn in _ROTATIONS[block % 2]:
            a += b
            b = (b << np.uint32(turn)) | (b >> np.uint32(32 - turn))
            b ^= a
        a += keys[(block + 1) % 3]
        b += keys[(block + 2) % 3]
        b += np.uint32(block + 1)
    return a, b


def key(seed: int) -> Key:
    """``jax.random.key(seed)``, for seeds that fit jax's 32 bits.

    Raises:
        RefDPError: seed is no whole number in [0, 2^32); what jax does with others depends on jax_enable_x64.
    """
    whole(seed=seed)
    if seed >= 2**32:
        raise RefDPError(f"seed = {seed}: must be < 2^32, what jax keeps of a seed by default")
    return 0, seed


def split(parent: Key, count: int) -> list[Key]:
    """``jax.random.split(parent, count)``."""
    first, second = threefry2x32(parent, *_counters(count))
    return list(zip(first.tolist(), second.tolist(), strict=True))


def fold_in(parent: Key, data: int) -> Key:
    """``jax.random.fold_in(parent, data)``, data in [0, 2^32)."""
    first, second = threefry2x32(parent, np.zeros(1, np.uint32), np.array([data], np.uint32))
    return int(first[0]), int(second[0])


def bits(own: Key, count: int) -> np.ndarray:
    """``jax.random.bits(own, (count,))``: uint32 [count]."""
    first, second = threefry2x32(own, *_counters(count))
    return first ^ second


def uniform(own: Key, count: int, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """``jax.random.uniform(own, (count,), minval=low, maxval=high)``: float32 [count]."""
    mantissas = (bits(own, count) >> np.uint32(9)) | np.float32(1).view(np.uint32)
    unit = (mantissas.view(np.float32) - np.float32(1)).astype(np.float64)
    start, width = np.float32(low), np.float32(high) - np.float32(low)
    return np.maximum(start, (unit * width.astype(np.float64) + start).astype(np.float32))


def normal(own: Key, count: int) -> np.ndarray:
    """``jax.random.normal(own, (count,))``: float32 [count]."""
    unit = uniform(own, count, float(np.nextafter(np.float32(-1), np.float32(0))), 1.0)
    return np.float32(np.sqrt(2)) * erfinv(unit)


def erfinv(x: np.ndarray) -> np.ndarray:
    """XLA's in float32: x p(w), w = -ln(1 - x^2), p one polynomial for w < 5 and another, in sqrt(w), beyond.

    Coefficients and method: Giles, "Approximating the erfinv function", GPU Computing Gems 2011, ch. 10. x^2 is rounded
    to float32, so at the ends it is off by up to 6e-6 relative, in jax as here.
    """
    w = -np.log1p(-x * x)
    central = w < np.float32(5)
    shifted = np.where(central, w - np.float32(2.5), np.sqrt(w) - np.float32(3))
    value = np.where(central, _CENTRE[0], _TAIL[0])
    for near, far in zip(_CENTRE[1:], _TAIL[1:], strict=True):
        value = np.where(central, near, far) + value * shifted
    return value * x


def _counters(count: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.arange(count, dtype=np.uint64)
    return (numbers >> np.uint64(32)).astype(np.uint32), numbers.astype(np.uint32)
