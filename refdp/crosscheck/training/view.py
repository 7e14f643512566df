"""One recorded step, and what refdp computes of it: in float64, from the recorded weights and batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from refdp.errors import RefDPError
from refdp.models import Network
from refdp.traces import TracedStep

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class StepView:
    """A step between what was recorded and what should have been.

    Attributes:
        step: as recorded.
        network: the model in refdp, or None where it is not known: then gradients are taken as recorded.
        meta: the trace's.
        velocity: momentum's memory before the step by name, float64; None where it is not known.
        earlier: the steps before this one.
    """

    step: TracedStep
    network: Network | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    velocity: Arrays | None = None
    earlier: tuple[TracedStep, ...] = ()

    @cached_property
    def reference(self) -> Arrays | None:
        """Per-sample gradients [B, *shape] by name, float64, by refdp; None where the trace has not what they take."""
        step = self.step
        if self.network is None or step.x is None or step.y is None or not step.params:
            return None
        return per_sample_gradients(
            self.network, step.params, inputs(self.network, step.x, self.meta), step.y
        )

    @cached_property
    def gradients(self) -> Arrays | None:
        """Per-sample gradients as recorded, else by refdp; float64."""
        if self.step.grad_sample:
            return double(self.step.grad_sample)
        return self.reference

    @cached_property
    def norms(self) -> np.ndarray | None:
        """Of ``gradients`` [B], over all parameters."""
        return None if self.gradients is None else norms_of(self.gradients)

    @cached_property
    def usable(self) -> np.ndarray | None:
        """Which gradients are numbers throughout [B]: only these take part in a sum."""
        return None if self.norms is None else np.isfinite(self.norms)

    @cached_property
    def scales(self) -> np.ndarray | None:
        """min(1, C / n) [B], 0 for what is not usable: flat clipping, Abadi et al. 2016 (arXiv 1607.00133)."""
        clip_norm = self.step.clip_norm
        if self.norms is None or self.usable is None or clip_norm is None:
            return None
        return np.where(
            self.usable, clip_norm / np.maximum(np.where(self.usable, self.norms, 1.0), clip_norm), 0.0
        )

    @cached_property
    def clipped_sum(self) -> Arrays | None:
        """Σ_b scales[b] gradients[b] by name, as it should be."""
        return None if self.scales is None else self.sum_with(self.scales)

    def sum_with(self, scales: np.ndarray) -> Arrays:
        """Σ_b scales[b] gradients[b] by name, for scales [B]; what is not usable adds nothing."""
        assert self.gradients is not None
        assert self.usable is not None
        kept = np.where(self.usable, scales, 0.0)
        return {
            name: np.tensordot(kept, np.where(_wide(self.usable, values), values, 0.0), axes=1)
            for name, values in self.gradients.items()
        }

    @cached_property
    def observed_sum(self) -> Arrays | None:
        """The clipped sum as recorded, else as it should be."""
        return double(self.step.clipped_sum) if self.step.clipped_sum else self.clipped_sum

    @cached_property
    def noise(self) -> Arrays | None:
        """What was added to ``observed_sum``: [N, *shape] by name."""
        total = self.observed_sum
        if total is None or not self.step.noised_sum:
            return None
        return {name: self.step.draws(name).astype(float) - total[name] for name in self.step.noised_sum}

    @cached_property
    def released(self) -> Arrays | None:
        """The (single) noised sum that the update took: as recorded, or without noise the clipped sum."""
        if self.step.noised_sum:
            draws = {name: self.step.draws(name).astype(float) for name in self.step.noised_sum}
            return (
                {name: values[0] for name, values in draws.items()}
                if all(len(v) == 1 for v in draws.values())
                else None
            )
        return self.observed_sum if self.step.noise_multiplier == 0 else None

    def forget_gradients(self) -> None:
        """Let go of what has a row a sample; it is computed again if it is asked for."""
        for name in ("reference", "gradients"):
            self.__dict__.pop(name, None)


def inputs(network: Network, x: np.ndarray, meta: Mapping[str, Any]) -> np.ndarray:
    """x as refdp's models take it: channels-last.

    Raises:
        RefDPError: x fits neither layout, or both and ``meta`` does not say which.
    """
    last = network.input_shape
    if len(last) != 3:
        if x.shape[1:] != last:
            raise RefDPError(f"x.shape = {x.shape}: this model takes (batch, {', '.join(map(str, last))})")
        return x.astype(float)
    first = (last[2], last[0], last[1])
    layout = meta.get("layout")
    fits = {"channels-last": x.shape[1:] == last, "channels-first": x.shape[1:] == first}
    if layout is not None and layout not in tuple(fits):
        raise RefDPError(f"meta.layout = {layout!r}: must be channels-first or channels-last")
    if layout is None and all(fits.values()) and last[2] > 1:
        raise RefDPError(f"x.shape = {x.shape}: fits channels first and last; let meta.layout say which")
    chosen = layout or next((name for name, fit in fits.items() if fit), None)
    if chosen is None or not fits[chosen]:
        raise RefDPError(
            f"x.shape = {x.shape}: this model takes (batch, *{last}), or channels first (batch, *{first})"
        )
    return (x.transpose(0, 2, 3, 1) if chosen == "channels-first" else x).astype(float)


def per_sample_gradients(
    network: Network, params: Mapping[str, np.ndarray], x: np.ndarray, y: np.ndarray
) -> Arrays:
    """Gradients of each sample's cross-entropy by name in PyTorch's layouts: float64 [B, *shape].

    Args:
        params: by name in PyTorch's layouts.
        x: float64 [B, *network.input_shape], channels-last.
        y: [B].
    """
    if y.size and int(y.max()) >= network.num_classes:
        raise RefDPError(
            f"y holds {int(y.max())}: this model has {network.num_classes} classes, 0 to {network.num_classes - 1}"
        )
    theta = network.from_framework(double(params))
    try:
        out = np.empty((len(y), network.size))
        with np.errstate(all="ignore"):  # a gradient that overflows is judged as it is
            network.per_sample_gradients(np, theta, x, y, out)
        return unpacked_rows(network, out)
    except MemoryError:
        raise RefDPError(
            f"{len(y)} samples of {network.size} parameters: more than memory holds in float64; record fewer samples"
        ) from None


def unpacked_rows(network: Network, rows: np.ndarray) -> Arrays:
    """Rows [B, D] by name in PyTorch's layouts [B, *shape]."""
    order = network.to_framework(np.arange(network.size, dtype=float))
    return {
        name: rows[:, places.ravel().astype(np.int64)].reshape(-1, *places.shape)
        for name, places in order.items()
    }


def norms_of(gradients: Mapping[str, np.ndarray]) -> np.ndarray:
    """Euclidean norms over all parameters [B]."""
    with np.errstate(all="ignore"):
        squares = [np.square(v).sum(axis=tuple(range(1, v.ndim))) for v in gradients.values()]
        return np.sqrt(np.sum(squares, axis=0))


def double(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """The same in float64."""
    return {name: np.asarray(values, dtype=np.float64) for name, values in arrays.items()}


def _wide(flags: np.ndarray, like: np.ndarray) -> np.ndarray:
    return flags.reshape(len(flags), *(1,) * (like.ndim - 1))
