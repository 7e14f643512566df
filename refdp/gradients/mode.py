"""How per-sample gradients are clipped: whole rows of them, or norms without making them."""

from __future__ import annotations

from refdp.errors import RefDPError
from refdp.validate import one_of

PER_SAMPLE = ("auto", "explicit", "ghost", "hybrid")
"""What may be asked for. ``explicit`` is the reference: gradients are made, [B, D] in chunks. ``ghost`` makes none of
them, ``hybrid`` those that are cheaper made than not. All give the same sum, but for rounding."""


def per_sample_mode(asked: str, one_gradient: bool, hybrid_pays: bool) -> str:
    """The way to compute: ``explicit``, ``ghost`` or ``hybrid``.

    Args:
        hybrid_pays: whether the network is one for which it was found faster.
        one_gradient: whether a record has one gradient only: no views of it or past weights whose gradients are
            averaged before clipping, which takes the gradients themselves.
    """
    one_of(PER_SAMPLE, per_sample=asked)
    if asked == "auto":
        return "hybrid" if one_gradient and hybrid_pays else "explicit"
    if asked != "explicit" and not one_gradient:
        raise RefDPError(
            f"per_sample = {asked!r}: augmentation and iterates average several gradients of a record before they are "
            "clipped, and the norm of an average takes the gradients themselves; use explicit (or auto)"
        )
    return asked
