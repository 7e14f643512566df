"""Noise on the clipped sum."""

from refdp.noise.gaussian import add_gaussian_noise
from refdp.noise.secure import SecureStreams
from refdp.rng import Streams

NOISE_SOURCES: dict[str, type[Streams]] = {"reproducible": Streams, "secure": SecureStreams}

__all__ = ["NOISE_SOURCES", "SecureStreams", "add_gaussian_noise"]
