"""Noise, batches and initial weights from a stream cipher: ChaCha20 (RFC 8439) under keys derived by BLAKE2b.

    key(purpose, step) = BLAKE2b-256 keyed by the root (purpose, step)        draws = f(ChaCha20 keystream)

The reproducible source's generators (PCG64, SFC64, Philox) and SeedSequence are not cryptographic: who can read
enough of their output may work out the root, and then subtract all noise. Here that takes breaking the cipher or
the hash. Every stream comes from the root this way, since any of them could give it away.

G1. As in ``refdp.rng``: no two purposes or steps share a key, and a step depends on the root and itself only, so a
    run resumes to the bit. The checkpoint's root is therefore as secret as the noise it makes.
G2. The root is 256 bits of the operating system's entropy; a seed chosen by hand is refused.

Each noise value is half the sum of four independent normal draws in float64, as in Holohan & Braghin 2021 (arXiv
2107.10138): the attack that inverts one draw to its bits (Mironov 2012) would have to invert four at once. It
remains floating-point noise; nothing is proven about its rounding. Draws are made on the host.
"""

from __future__ import annotations

import hashlib
import importlib
import secrets
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refdp.errors import MissingExtraError, RefDPError
from refdp.rng import HostNormal, Streams


def chacha(key: bytes) -> np.random.Generator:
    """The ChaCha20 keystream of a 32-byte key (zero nonce, counter 0 onwards) as a generator."""
    try:
        randomgen: Any = importlib.import_module("randomgen")
    except ImportError as error:
        raise MissingExtraError(
            "noise_source = 'secure': randomgen is not installed; install refdp[secure]"
        ) from error
    return np.random.Generator(randomgen.ChaCha(key=int.from_bytes(key, "little"), counter=0, rounds=20))


@dataclass(frozen=True)
class SecureStreams(Streams):
    """Random streams of the secure source."""

    root_name: ClassVar[str] = "secure_root"

    @classmethod
    def from_seed(cls, seed: int | None) -> SecureStreams:
        """Streams of fresh entropy; a seed is refused."""
        if seed is not None:
            raise RefDPError(
                f"seed = {seed!r}: a known seed undoes noise_source = 'secure'; leave one of them out"
            )
        chacha(bytes(32))  # without the extra, refuse before anything is done
        return cls(secrets.randbits(256), seed_is_known=False)

    def key(self, purpose: str, step: int) -> bytes:
        """32 bytes, another for every purpose and step."""
        message = purpose.encode() + b":" + step.to_bytes(8, "little")
        root = self.root.to_bytes(32, "little")
        return hashlib.blake2b(message, digest_size=32, key=root, person=b"refdp/streams/1").digest()

    def init(self) -> np.random.Generator:
        """Initial weights."""
        return chacha(self.key("init", 0))

    def sampling(self, step: int) -> np.random.Generator:
        """The batch of this step (or the permutation of this epoch)."""
        return chacha(self.key("sampling", step))

    def noise(self, step: int) -> HostNormal:
        """This step's draws; asked again, the same."""
        return self._four_fold("noise", step)

    def counts(self, step: int) -> HostNormal:
        """Noise on this step's counts."""
        return self._four_fold("counts", step)

    def accuracy(self, step: int) -> HostNormal:
        """Noise on the count that a learning rate follows."""
        return self._four_fold("accuracy", step)

    def _four_fold(self, purpose: str, step: int) -> HostNormal:
        def draw(size: int) -> np.ndarray:
            return 0.5 * chacha(self.key(purpose, step)).standard_normal((4, size)).sum(axis=0)

        return draw

    def views(self, step: int) -> np.random.Generator:
        """How the records of this step are augmented."""
        return chacha(self.key("views", step))
