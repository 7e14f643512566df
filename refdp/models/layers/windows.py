"""Where a sliding window stands: the arithmetic that convolution and pooling share."""

from __future__ import annotations

from refdp.errors import RefDPError


def count(length: int, size: int, stride: int) -> int:
    """Number of windows of ``size`` that fit in ``length`` when moved by ``stride``; 0 if none does."""
    return (length - size) // stride + 1 if length >= size else 0


def seen_at(offset: int, windows: int, stride: int) -> slice:
    """The input positions that stand at ``offset`` inside each of the windows."""
    return slice(offset, offset + (windows - 1) * stride + 1, stride)


def check_image(layer: str, input_shape: tuple[int, ...], size: int, padding: int = 0) -> None:
    """Refuse an input that is not an image [H, W, C] at least as large as the window."""
    if len(input_shape) != 3:
        raise RefDPError(
            f"input_shape = {input_shape}: {layer} takes images (height, width, channels); "
            "put it before flatten"
        )
    if min(input_shape[:2]) + 2 * padding < size:
        raise RefDPError(
            f"input_shape = {input_shape}: {layer} needs height and width + 2 * padding ({padding}) "
            f">= its window of {size}; use a smaller window or more padding"
        )
