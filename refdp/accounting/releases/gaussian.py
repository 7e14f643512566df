"""Gaussian noise on the sum of clipped gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refdp.accounting.releases.base import Release


@dataclass(frozen=True)
class GaussianEvent(Release):
    """A noisy sum of clipped gradients a step, and nothing else; see ``Release`` for its attributes."""

    mechanism: ClassVar[str] = "gaussian"
