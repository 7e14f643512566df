"""One gradient a record, from all its views at all the weights that count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from refdp.backend import Array


def record_gradients(
    network: Any,
    xp: Any,
    iterates: Sequence[tuple[float, Array]],
    views: Sequence[Array],
    labels: Array,
    out: Array,
    scratch: Array | None,
) -> Array:
    """Write each record's gradient, averaged over views and weighted over iterates, into out [B, D].

    Args:
        network: has ``per_sample_gradients``.
        iterates: (weight, theta [D]), today's first.
        views: inputs [B, *shape], one array a view.
        scratch: [B, D], needed where there is more than one of either.

    Returns:
        Losses [B] of the first view at today's weights. A view with NaN or inf makes the whole record unusable.
    """
    losses = None
    for weight, theta in iterates:
        for x in views:
            first = losses is None
            into: Any = out if first else scratch
            found = network.per_sample_gradients(xp, theta, x, labels, into)
            factor = weight / len(views)
            if factor != 1.0:
                into *= factor
            if first:
                losses = found
            else:
                out += into
    return losses
