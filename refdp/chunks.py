"""What one chunk of records adds to a batch's sum: gradients, norms, scales, weighted sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refdp.backend import Array, Backend
from refdp.clippers import (
    AdaptiveClipper,
    ClipContext,
    checked_norms,
    rounded_scales,
    rounding_margin,
    usable_norms,
    weighted_sum,
)
from refdp.data import Dataset
from refdp.gradients import per_sample_mode, record_gradients
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.validate import whole


def _chunk(backend: Backend, row: int) -> int:
    """Records at a time, given the bytes of a gradient: measured, see docs/benchmarks.md."""
    if not backend.reads_are_free:
        # gradients in an eighth: of all, not of what is free, so that a run's chunks are the same again
        return min(max((backend.memory_bytes or 2**33) // 8 // row, 12), 4096)
    room = 9 * 2**19 if row < 2**20 else 13 * 2**20  # of large models, activations fill the cache
    return min(max(room // row, 4), 4096)


class Chunks:
    """The state that a step's sum depends on, and the sum over one chunk.

    Attributes:
        step: number of steps taken.
        theta: weights [D].
        past: weights of earlier steps, the latest first.
        released: what an adaptive clipping rule has released so far.
        chunk: records at a time.
        per_sample: ``explicit``, ``ghost`` or ``hybrid``.
    """

    theta: Array
    watch_private: bool = False

    def __init__(
        self,
        plan: Plan,
        data: Dataset,
        backend: Backend,
        streams: Streams,
        dtype: Any,
        physical_batch_size: int | None,
        per_sample: str,
    ) -> None:
        self.plan, self.data, self.backend, self.streams = plan, data, backend, streams
        self.dtype = np.dtype(dtype).type
        size = _chunk(backend, plan.network.size * np.dtype(dtype).itemsize)
        size = size if physical_batch_size is None else physical_batch_size
        whole(1, physical_batch_size=size)
        self.chunk = min(size, plan.sampler.dataset_size)
        one_gradient = plan.augmentation is None and plan.iterates is None
        mode = per_sample_mode(per_sample, one_gradient, plan.network.hybrid_pays)
        self.per_sample = mode if plan.private else "explicit"
        self.step = 0
        self.past: list[Array] = []
        self.released = plan.released()
        self._train_x, self._train_y = backend.asarray(data.train.x), backend.asarray(data.train.y)
        self._drawn: tuple[int, np.ndarray] | None = None
        self._finish: Callable[[Array], Array] | None = None  # puts a sum of chunks' sums right
        self._prepared: Any = None  # the weights, as the network likes them, while a batch is summed
        self._space: list[Array] = []  # for gradients, once there are any

    @property
    def context(self) -> ClipContext:
        """What is public at this step, for the clipping rule."""
        plan = self.plan
        return ClipContext(self.step, plan.steps, rounding_margin(self.dtype), plan.sizes, self.released)

    def _views(self, indices: np.ndarray, chosen: Array) -> list[Array]:
        """Model inputs [b, *shape] of these records: one array a view."""
        backend, augmentation, x = self.backend, self.plan.augmentation, self._train_x[chosen]
        if augmentation is None:
            return [self.data.prepare(backend.xp, x)]
        assert self._drawn is not None
        drawn = backend.asarray(self._drawn[1][indices])
        seen = (augmentation.view(backend.xp, x, drawn[:, k]) for k in range(augmentation.views))
        return [self.data.prepare(backend.xp, view) for view in seen]

    def _buffers(self, rows: int) -> list[Array]:
        """This process's space for gradients [rows, D]: one, or two where gradients are averaged."""
        if not self._space:
            views = 1 if self.plan.augmentation is None else self.plan.augmentation.views
            count = 1 if views == 1 and self.plan.iterates is None else 2
            shape = (self.chunk, self.plan.network.size)
            self._space += [self.backend.xp.empty(shape, dtype=self.dtype) for _ in range(count)]
        return [buffer[:rows] for buffer in self._space]

    def _chunk_sum(self, indices: np.ndarray) -> tuple[Array, Array, Array]:
        """One chunk: its summed (clipped) gradient [D], its losses [b], and an adaptive rule's counts [L].

        ``_finish``, if it is not None afterwards, puts a total of such sums right; it is the same for all chunks.
        """
        self._finish = None
        chosen = self.backend.asarray(indices)
        views, labels = self._views(indices, chosen), self._train_y[chosen]
        with np.errstate(
            all="ignore"
        ):  # a record whose gradient overflows is dropped by the clipper, quietly
            if self.per_sample == "explicit":
                return self._explicit_sum(views, labels)
            return self._held_sum(views[0], labels)

    @property
    def _weights_now(self) -> Any:
        return self.theta if self._prepared is None else self._prepared

    def _explicit_sum(self, views: list[Array], labels: Array) -> tuple[Array, Array, Array]:
        """By gradients that are made, [b, D]."""
        backend, clipper = self.backend, self.plan.clipper
        rows, *scratch = self._buffers(len(labels))
        weights = [1.0] if self.plan.iterates is None else self.plan.iterates.weights(1 + len(self.past))
        iterates = list(zip(weights, [self._weights_now, *self.past], strict=True))
        losses = record_gradients(
            self.plan.network, backend.xp, iterates, views, labels, rows, scratch[0] if scratch else None
        )
        if clipper is None:
            return rows.sum(axis=0), losses, 0.0
        groups, context = self.plan.groups, self.context
        norms, usable = usable_norms(backend, rows, groups)
        summed = weighted_sum(backend, clipper, rows, norms, groups, context)
        return summed, losses, self._counts(norms, usable, context)

    def _held_sum(self, x: Array, labels: Array) -> tuple[Array, Array, Array]:
        """By norms first, and then a weighted sum of gradients of which some, or all, are never made."""
        backend, clipper, xp = self.backend, self.plan.clipper, self.backend.xp
        assert clipper is not None
        room = self._buffers(len(labels))[0] if self.per_sample == "hybrid" else None
        losses, held = self.plan.network.held_gradients(
            xp, self._weights_now, x, labels, self.per_sample, room
        )
        if held.doubtful is not None and bool(held.doubtful.any()):
            return self._explicit_sum([x], labels)
        context, norms = self.context, xp.sqrt(held.squares(xp, clipper.per_group))
        norms, usable, dropped = checked_norms(backend, norms, self.dtype)
        self._finish = held.finish
        scales = rounded_scales(backend, clipper, norms, context, self.dtype)
        return (
            held.weighted_sum(xp, scales, dropped, finish=False),
            losses,
            self._counts(norms, usable, context),
        )

    def _counts(self, norms: Array, usable: Array, context: ClipContext) -> Array:
        """What an adaptive rule counts [L]; 0 for other rules."""
        clipper = self.plan.clipper
        if not isinstance(clipper, AdaptiveClipper):
            return 0.0
        return clipper.counts(self.backend.xp, norms, usable, context)
