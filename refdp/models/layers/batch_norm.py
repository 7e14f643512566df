"""Batch normalisation: refused, with the reason."""

from __future__ import annotations

from typing import Any

from refdp.errors import RefDPError


class BatchNorm:
    """Cannot be built. With batch statistics the output of sample i depends on every other sample, so one record
    changes the gradients of all: there is no gradient of a record to clip, and the sum's sensitivity is not C.
    The running averages would be a release without noise besides.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RefDPError(
            "batch_norm: sample i's output depends on the other samples of its batch, so clipping bounds no "
            "record's influence and no epsilon holds; use group_norm, which normalises each sample by itself"
        )
