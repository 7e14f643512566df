"""Kinds of canaries, one a file, found by name."""

from refdp.audit.runs.canaries.base import Canary, Watch
from refdp.registry import Registry

canaries: Registry[Canary] = Registry("canary", "refdp.audit.runs.canaries")

__all__ = ["Canary", "Watch", "canaries"]
