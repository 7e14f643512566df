"""Clipping rules, one a file, found by name."""

from refdp.clippers.adaptive import AdaptiveClipper
from refdp.clippers.aggregate import (
    checked_norms,
    clipped_sum,
    rounded_scales,
    rounding_margin,
    usable_norms,
    weighted_sum,
)
from refdp.clippers.base import ClipContext, Clipper
from refdp.registry import Registry

clippers: Registry[Clipper] = Registry("clipping", "refdp.clippers")

__all__ = [
    "AdaptiveClipper",
    "ClipContext",
    "Clipper",
    "checked_norms",
    "clipped_sum",
    "clippers",
    "rounded_scales",
    "rounding_margin",
    "usable_norms",
    "weighted_sum",
]
