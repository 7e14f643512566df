"""JAX's generator in numpy: published vectors, recorded values of jax, and jax itself where REFDP_PEERS names it.

Known answers: Random123's tests/kat_vectors (D. E. Shaw Research), threefry2x32 of 20 rounds, as
(counter, counter, key, key) -> words. Recorded with jax 0.10.2 on a CPU, defaults (jax_threefry_partitionable True):
``k = jax.random.key(SEED)``, then bits(k, (3,)), key_data(split(k, 3)), key_data(fold_in(k, 7)), uniform(k, (4,)),
normal(k, (6,)), and the sha256 of bits(k, (1000,)) as little-endian words.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from refdp.errors import RefDPError
from refdp.replay import threefry

KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]
BITS = {
    0: (0xF29A4FA7, 0xFA843692, 0x55110E28),
    42: (0x7D1C13A2, 0xAE0730D9, 0x9DC3F9F9),
    2**32 - 1: (0x84B8C06F, 0x8C00439D, 0x775A4FAB),
}
DIGEST_42 = "0da39d9ad74bfca6f1b1250d16dc1ae34a70772a4a0b29575f63b321e565ec33"
SPLIT_42 = [(1832780943, 270669613), (64467757, 2916123636), (2465931498, 255383827)]
FOLDED_42 = (2547012911, 1371500959)
UNIFORM_42 = "0x1.f470480000000p-2 0x1.5c0e600000000p-1 0x1.3b87f00000000p-1 0x1.1f3d800000000p-1"
NORMAL_0 = [
    1.622642159461975, 2.0252647399902344, -0.4335944354534149, -0.07861734926700592, 0.17609089612960815,
    -0.9720892310142517,
]  # fmt: skip
IN_THE_TAIL = [(2**32 - 1, 189434, -5.012797832489014), (7, 35127, -3.7569828033447266)]
"""Seed, place among 200,000 normals, value; the last is 2.2e-5 from what the exact inverse would give."""


def check_known_answers() -> None:
    for counters, own, words in KNOWN:
        first, second = threefry.threefry2x32(own, *(np.array([c], np.uint32) for c in counters))
        assert (int(first[0]), int(second[0])) == words


def check_bits() -> None:
    for seed, wanted in BITS.items():
        assert tuple(threefry.bits(threefry.key(seed), 3).tolist()) == wanted
    words = threefry.bits(threefry.key(42), 1000).astype("<u4").tobytes()
    assert hashlib.sha256(words).hexdigest() == DIGEST_42


def check_keys() -> None:
    assert threefry.split(threefry.key(42), 3) == SPLIT_42
    assert threefry.fold_in(threefry.key(42), 7) == FOLDED_42


def check_uniforms() -> None:
    found = threefry.uniform(threefry.key(42), 4).tolist()
    assert found == [float.fromhex(v) for v in UNIFORM_42.split()]


def check_normals() -> None:
    np.testing.assert_allclose(threefry.normal(threefry.key(0), 6), NORMAL_0, atol=1e-6, rtol=0)
    for seed, place, value in IN_THE_TAIL:
        assert threefry.normal(threefry.key(seed), 200_000)[place] == pytest.approx(value, abs=1e-6)


CHECKS = (check_known_answers, check_bits, check_keys, check_uniforms, check_normals)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_recorded_values(check: Callable[[], None]) -> None:
    check()


def original_counters(count: int) -> tuple[np.ndarray, np.ndarray]:
    """jax_threefry_partitionable = False: one run of counters cut in two halves."""
    half = -(-count // 2)
    numbers = np.arange(2 * half, dtype=np.uint32)
    return np.resize(numbers[:half], count), np.resize(numbers[half:], count)


def exact(x: np.ndarray) -> np.ndarray:
    return special.erfinv(x.astype(float)).astype(np.float32)


FAULTS = [
    ("_ROTATIONS", ((13, 15, 26, 6), (17, 29, 16, 25)), check_known_answers),
    ("_PARITY", 0x1BD11BDB, check_known_answers),
    ("_counters", original_counters, check_bits),
    ("_counters", original_counters, check_keys),
    ("erfinv", exact, check_normals),
    ("_TAIL", threefry._TAIL[::-1], check_normals),
]


@pytest.mark.parametrize(("name", "fault", "check"), FAULTS)
def test_a_seeded_fault_is_caught_by_its_check(
    monkeypatch: pytest.MonkeyPatch, name: str, fault: object, check: Callable[[], None]
) -> None:
    monkeypatch.setattr(threefry, name, fault)
    with pytest.raises(AssertionError):
        check()


def test_the_polynomial_is_the_inverse_error_function() -> None:
    x = np.linspace(-0.999, 0.999, 20001, dtype=np.float32)
    np.testing.assert_allclose(threefry.erfinv(x), special.erfinv(x.astype(float)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.3, 0.7)])
def test_uniforms_stay_in_their_bounds(low: float, high: float) -> None:
    values = threefry.uniform(threefry.key(3), 100_000, low, high)
    assert np.float32(low) <= values.min() < values.max() < np.float32(high)
    assert values.mean() == pytest.approx((low + high) / 2, abs=0.005)


def test_other_seeds_are_refused() -> None:
    with pytest.raises(RefDPError, match=r"seed = 4294967296: must be < 2\^32"):
        threefry.key(2**32)
    with pytest.raises(RefDPError, match="seed = -1"):
        threefry.key(-1)


ASKED = """
import sys, numpy as np, jax
r, out = jax.random, {}
for seed in (0, 7, 2**31, 2**32 - 1):
    k = r.key(seed)
    out[f"{seed}/split"], out[f"{seed}/fold"] = r.key_data(r.split(k, 9)), r.key_data(r.fold_in(k, 2**32 - 1))
    out[f"{seed}/bits"], out[f"{seed}/uniform"] = r.bits(k, (7, 1001)), r.uniform(k, (100003,), minval=-0.3)
    out[f"{seed}/normal"] = r.normal(k, (1000000,))
np.savez(sys.argv[1], **{name: np.asarray(values) for name, values in out.items()})
"""


def test_jax_itself(tmp_path: Path) -> None:
    peers = dict(item.partition("=")[::2] for item in os.environ.get("REFDP_PEERS", "").split(",") if item)
    if "jax-privacy" not in peers:
        pytest.skip("needs jax: name its interpreter, REFDP_PEERS=jax-privacy=/path/to/python")
    subprocess.run([peers["jax-privacy"], "-c", ASKED, str(tmp_path / "jax.npz")], check=True)
    recorded = np.load(tmp_path / "jax.npz")
    for seed in (0, 7, 2**31, 2**32 - 1):
        own = threefry.key(seed)
        assert threefry.split(own, 9) == [tuple(pair) for pair in recorded[f"{seed}/split"].tolist()]
        assert threefry.fold_in(own, 2**32 - 1) == tuple(recorded[f"{seed}/fold"].tolist())
        assert (threefry.bits(own, 7007).reshape(7, 1001) == recorded[f"{seed}/bits"]).all()
        assert (threefry.uniform(own, 100003, -0.3) == recorded[f"{seed}/uniform"]).all()
        np.testing.assert_allclose(
            threefry.normal(own, 1_000_000), recorded[f"{seed}/normal"], rtol=5e-7, atol=1e-6
        )
