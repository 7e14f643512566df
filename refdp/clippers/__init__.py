"""Clipping rules, one a file, found by name."""

from refdp.clippers.aggregate import clipped_sum, rounding_margin
from refdp.clippers.base import ClipContext, Clipper
from refdp.registry import Registry

clippers: Registry[Clipper] = Registry("clipping", "refdp.clippers")

__all__ = ["ClipContext", "Clipper", "clipped_sum", "clippers", "rounding_margin"]
