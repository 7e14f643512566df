"""Group counts of a residual network, written as one number or as stem/stage 1/stage 2/stage 3."""

from __future__ import annotations

from refdp.errors import RefDPError


def parse(text: str | int) -> tuple[int, int, int, int]:
    """``16`` or ``4/4/8/16``: groups where a normalisation sees the channels of the stem, of stage 1, 2, 3."""
    parts = str(text).split("/")
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts) or len(parts) not in (
        1,
        4,
    ):
        raise RefDPError(
            f"groups = {text!r}: must be one count, or four as in 4/4/8/16 (stem, then the three stages)"
        )
    counts = [int(part) for part in parts] * (4 // len(parts))
    return counts[0], counts[1], counts[2], counts[3]
