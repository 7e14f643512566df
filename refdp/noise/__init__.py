"""Noise on the clipped sum."""

from refdp.noise.gaussian import add_gaussian_noise

__all__ = ["add_gaussian_noise"]
