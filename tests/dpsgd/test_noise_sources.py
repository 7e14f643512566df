"""The secure noise source: the cipher it says, keys that share nothing, N(0, 1), and resuming to the bit."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import itertools
import struct
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from helpers import small_data, small_plan
from scipy import stats
from strict_backend import strict_backend

import refdp.noise.secure as secure
from refdp.backend import numpy_backend
from refdp.engine import Trainer
from refdp.errors import MissingExtraError, RefDPError
from refdp.noise import NOISE_SOURCES, add_gaussian_noise
from refdp.noise.secure import SecureStreams
from refdp.rng import Streams

PURPOSES = ("init", "sampling", "noise", "counts", "accuracy", "views")
ROOT = 2**255 + 12345
KEY, NOISE = SecureStreams.key, SecureStreams.noise


def with_randomgen() -> None:
    pytest.importorskip("randomgen", reason="needs refdp[secure]")


def chacha20_block(key: bytes, counter: int) -> bytes:
    """RFC 8439, section 2.3, with a zero nonce."""

    def rotate(x: int, n: int) -> int:
        return (x << n | x >> 32 - n) & 0xFFFFFFFF

    start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter, 0, 0, 0]
    x = list(start)
    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for _ in range(10):
        for a, b, c, d in columns + diagonals:
            for i, j, k, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[i] = (x[i] + x[j]) & 0xFFFFFFFF
                x[k] = rotate(x[k] ^ x[i], n)
    return struct.pack("<16I", *((one + other) & 0xFFFFFFFF for one, other in zip(x, start, strict=True)))


def test_the_oracle_gives_the_published_keystream() -> None:
    """RFC 8439, appendix A.1, test vectors 1 and 2."""
    assert chacha20_block(bytes(32), 0).hex().startswith("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1a")
    assert chacha20_block(bytes(32), 1).hex().startswith("9f07e7be5551387a98ba977c732d080dcb0f29a048e36569")


def check_cipher() -> None:
    for key in (bytes(32), bytes(range(32)), hashlib.sha256(b"x").digest()):
        keystream = b"".join(chacha20_block(key, counter) for counter in range(40))
        words = secure.chacha(key).bit_generator.random_raw(len(keystream) // 8)
        assert words.astype("<u8").tobytes() == keystream, "not ChaCha20"


def check_keys() -> None:
    """Keyed BLAKE2b, another key for every root, purpose and step."""
    streams = SecureStreams(ROOT, seed_is_known=False)
    roots = [streams, SecureStreams(ROOT + 1, seed_is_known=False)]
    keys = {one.key(purpose, step) for one, purpose, step in itertools.product(roots, PURPOSES, range(300))}
    assert len(keys) == 2 * len(PURPOSES) * 300, "a key is shared"
    expected = hashlib.blake2b(
        b"noise:" + (7).to_bytes(8, "little"),
        digest_size=32,
        key=ROOT.to_bytes(32, "little"),
        person=b"refdp/streams/1",
    )
    assert streams.key("noise", 7) == expected.digest()


def check_draws() -> None:
    """N(0, 1), fresh in every coordinate and step, nothing of the other streams, the same when asked again."""
    for purpose in ("noise", "counts", "accuracy"):
        check_normal(purpose)


def check_normal(purpose: str) -> None:
    """Of one purpose."""
    streams = SecureStreams(ROOT, seed_is_known=False)
    of = getattr(streams, purpose)
    draws = np.array([of(t)(4000) for t in range(30)])
    expected = secure.chacha(streams.key(purpose, 7)).standard_normal((4, 4000)).sum(axis=0) / 2
    np.testing.assert_allclose(draws[7], expected, rtol=1e-12, err_msg=f"{purpose}: not under its own key")
    assert stats.kstest(draws.ravel(), "norm").pvalue > 1e-3, "not N(0, 1)"
    assert abs(draws.std() - 1) < 5 / np.sqrt(2 * draws.size)
    correlations = np.corrcoef(draws)[np.triu_indices(30, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(4000), "steps share draws"
    for shift in (1, 2, 1000):
        assert abs(np.corrcoef(draws[:, shift:].ravel(), draws[:, :-shift].ravel())[0, 1]) < 0.02
    sampled = streams.sampling(3).standard_normal((4, 4000)).sum(axis=0)
    assert abs(np.corrcoef(sampled, draws[3])[0, 1]) < 0.1, "noise and batches share a stream"
    assert draws.dtype == np.float64
    np.testing.assert_array_equal(of(3)(4000), draws[3])


@pytest.mark.parametrize("check", [check_cipher, check_keys, check_draws])
def test_secure_source(check: Any) -> None:
    with_randomgen()
    check()


def few_rounds(patch: pytest.MonkeyPatch) -> None:
    randomgen = importlib.import_module("randomgen")
    whole = randomgen.ChaCha
    patch.setattr(randomgen, "ChaCha", lambda **given: whole(**{**given, "rounds": 8}))


def key_without_step(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SecureStreams, "key", lambda self, purpose, step: KEY(self, purpose, 0))


def key_without_purpose(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SecureStreams, "key", lambda self, purpose, step: KEY(self, "noise", step))


def key_of_half_the_root(patch: pytest.MonkeyPatch) -> None:
    def key(self: SecureStreams, purpose: str, step: int) -> bytes:
        return KEY(dataclasses.replace(self, root=self.root >> 128), purpose, step)

    patch.setattr(SecureStreams, "key", key)


def one_draw_halved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SecureStreams, "noise", lambda self, step: lambda size: 0.5 * NOISE(self, step)(size))


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (few_rounds, check_cipher),
        (key_without_step, check_keys),
        (key_without_step, check_draws),
        (key_without_purpose, check_keys),
        (key_without_purpose, check_draws),
        (key_of_half_the_root, check_keys),
        (one_draw_halved, check_draws),
    ],
)
def test_faults_are_caught(fault: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with_randomgen()
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check()


def test_noise_lands_on_the_sum_at_its_scale() -> None:
    with_randomgen()
    draws = SecureStreams(ROOT, seed_is_known=False).noise(0)
    for backend in (numpy_backend(), strict_backend()):
        total = backend.asarray(np.arange(5.0))
        released = backend.to_host(add_gaussian_noise(backend, total, 1.5, 0.25, draws, np.float32))
        np.testing.assert_array_equal(released, np.arange(5.0) + (1.5 * 0.25) * draws(5))


def trainer(streams: Streams) -> Trainer:
    data = small_data()
    return Trainer(small_plan(data), data, numpy_backend(), streams, dtype=np.float32, workers=1)


def test_resumes_to_the_bit() -> None:
    with_randomgen()
    whole, first, second = (trainer(SecureStreams.from_seed(None)) for _ in range(3))
    whole.load_state(first.state())
    for _ in range(8):
        whole.advance()
    for _ in range(3):
        first.advance()
    second.load_state(first.state())
    for _ in range(5):
        second.advance()
    np.testing.assert_array_equal(whole.theta, second.theta)
    assert isinstance(second.streams, SecureStreams)
    assert second.streams.root == first.streams.root


@pytest.mark.parametrize("secure_first", [True, False])
def test_a_checkpoint_of_another_source_is_refused(secure_first: bool) -> None:
    with_randomgen()
    one, other = trainer(SecureStreams.from_seed(None)), trainer(Streams.from_seed(None))
    if not secure_first:
        one, other = other, one
    with pytest.raises(RefDPError, match="noise source"):
        other.load_state(one.state())


def test_a_fresh_root_has_256_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    with_randomgen()
    monkeypatch.setattr("secrets.randbits", lambda bits: 2**bits - 1)
    assert SecureStreams.from_seed(None) == SecureStreams(2**256 - 1, seed_is_known=False)


def test_a_seed_is_refused() -> None:
    with pytest.raises(RefDPError, match=r"seed = 5: a known seed undoes noise_source = 'secure'"):
        SecureStreams.from_seed(5)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "randomgen", None)
    with pytest.raises(MissingExtraError, match=r"install refdp\[secure\]"):
        SecureStreams.from_seed(None)


def test_the_extra_is_not_imported_until_asked_for() -> None:
    code = "import sys, refdp.engine; sys.exit('randomgen' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_sources() -> None:
    assert {"reproducible": Streams, "secure": SecureStreams} == NOISE_SOURCES
    assert len({source.root_name for source in NOISE_SOURCES.values()}) == len(NOISE_SOURCES)


def test_samplers_take_either_source() -> None:
    with_randomgen()
    from refdp.samplers import samplers

    streams: Any = SecureStreams(ROOT, seed_is_known=False)
    for name in samplers.names():
        batches = [samplers.create(name, dataset_size=50, batch_size=10).batch(3, streams) for _ in range(2)]
        np.testing.assert_array_equal(batches[0].indices, batches[1].indices)
    other = dataclasses.replace(streams, root=ROOT - 1)
    poisson = samplers.create("poisson", dataset_size=500, batch_size=10)
    assert not np.array_equal(poisson.batch(0, streams).indices, poisson.batch(0, other).indices)


def check_reproducible_streams() -> None:
    """Every purpose and step of the reproducible source has a seed of its own, and asks for it anew."""
    asked: list[tuple[int, ...]] = []

    class Watched(Streams):
        def _sequence(self, *key: int) -> np.random.SeedSequence:
            asked.append(key)
            return super()._sequence(*key)

    streams = Watched(ROOT, seed_is_known=True)
    streams.init()
    for step in range(3):
        for purpose in PURPOSES[1:]:
            found = getattr(streams, purpose)(step)
            if callable(found):
                np.testing.assert_array_equal(found(5), found(5))
                asked.pop()
    assert len(asked) == len(set(asked)) == 1 + 3 * 5, "two purposes share a stream"


def test_no_two_purposes_share_a_stream() -> None:
    check_reproducible_streams()


@pytest.mark.parametrize("purpose", ["counts", "accuracy"])
@pytest.mark.parametrize("as_purpose", ["noise", "counts", "accuracy", "sampling"])
def test_a_shared_stream_is_caught(purpose: str, as_purpose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if purpose == as_purpose:
        pytest.skip("its own")
    index = {"sampling": 1, "noise": 2, "counts": 3, "accuracy": 4}[as_purpose]
    monkeypatch.setattr(
        Streams,
        purpose,
        lambda self, step: lambda size: np.random.default_rng(self._sequence(index, step)).random(size),
    )
    with pytest.raises(AssertionError, match="share a stream"):
        check_reproducible_streams()


def silent(patch: pytest.MonkeyPatch, purpose: str) -> None:
    """No noise at all."""
    patch.setattr(SecureStreams, purpose, lambda self, step: np.zeros)


def under_the_noise_key(patch: pytest.MonkeyPatch, purpose: str) -> None:
    """The gradient's noise, used twice."""
    patch.setattr(SecureStreams, purpose, lambda self, step: self._four_fold("noise", step))


def the_same_each_step(patch: pytest.MonkeyPatch, purpose: str) -> None:
    """Drawn once for all steps."""
    patch.setattr(SecureStreams, purpose, lambda self, step: self._four_fold(purpose, 7))


@pytest.mark.parametrize("purpose", ["counts", "accuracy"])
@pytest.mark.parametrize("fault", [silent, under_the_noise_key, the_same_each_step])
def test_faults_of_the_secure_counts_are_caught(
    fault: Any, purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_randomgen()
    check_normal(purpose)
    fault(monkeypatch, purpose)
    with pytest.raises(AssertionError):
        check_normal(purpose)
