"""Many networks of one hidden layer at once: a leading run axis over the weights, ghost norms, one sum a run.

For run r and record b, with x the input, a the hidden values, e = d loss / d logits and d = d loss / d hidden, the
gradients are outer products, so their common norm needs none of them:

    n_rb^2 = (|x_b|^2 + 1) |d_rb|^2 + (|a_rb|^2 + 1) |e_rb|^2

    sum_b s_rb g_rb:   fc1 [H, F] = d_r^T diag(s) x, its bias [H] = sum s d,   fc2 [K, H] = e_r^T diag(s) a_r, likewise

Explicit per-sample gradients stay the reference: ``explicit_sums`` makes them, one run after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from refdp.models.layers import Linear, Relu, Tanh
from refdp.models.loss import SMALLEST
from refdp.models.network import Network

Scales = Callable[[np.ndarray], np.ndarray]
"""Norms float64 [R, B] -> scales [R, B]; a norm that is no finite number comes as 0."""

_HIDDEN_VALUES = 2**16  # of one run, held at once


def is_mlp(network: Network) -> bool:
    """Whether the network is what this module computes: flatten, linear, relu or tanh, linear."""
    kinds = [layer for _, layer in network.layers]
    return (
        len(kinds) == 4
        and isinstance(kinds[1], Linear)
        and isinstance(kinds[2], Relu | Tanh)
        and isinstance(kinds[3], Linear)
    )


class Mlps:
    """R networks of one shape; their weights are rows of theta [R, D], laid out as ``network`` lays out its own.

    Guarantees, tested:

    G1. A run's result does not depend, to the bit, on which other runs there are.
    G2. ``sums`` equals ``explicit_sums`` up to rounding.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._relu = isinstance(network.layers[2][1], Relu)
        self._hidden = network.parameters["fc1.bias"].shape[0]

    def _view(self, theta: np.ndarray, name: str) -> np.ndarray:
        """A parameter of every run: a view [R, *shape] of theta."""
        where, shape = self.network.parameters[name]
        return theta[:, where].reshape(len(theta), *shape)

    def _forward(self, theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x [R or 1, B, F] -> hidden values [R, B, H], logits [R, K, B]: sums over classes are then over long rows."""
        hidden = x @ self._view(theta, "fc1.weight").transpose(0, 2, 1)
        hidden += self._view(theta, "fc1.bias")[:, None]
        activation: Any = (lambda z, out: np.maximum(z, 0, out=out)) if self._relu else np.tanh
        activation(hidden, out=hidden)
        logits = self._view(theta, "fc2.weight") @ hidden.transpose(0, 2, 1)
        logits += self._view(theta, "fc2.bias")[:, :, None]
        return hidden, logits

    def _parts(self, rows: int) -> Iterator[slice]:
        """A batch in parts of bounded size; the cuts do not depend on how many runs there are."""
        size = max(1, _HIDDEN_VALUES // self._hidden)
        return (slice(start, start + size) for start in range(0, rows, size))

    def hits(self, theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """How many records each run predicts right, int64 [R]. Shapes as in ``sums``."""
        found = np.zeros(len(theta), dtype=np.int64)
        for part in self._parts(x.shape[1]):
            predicted = self._forward(theta, x[:, part])[1].argmax(axis=1)
            found += (predicted == y[:, part]).sum(axis=1)
        return found

    def sums(
        self, theta: np.ndarray, x: np.ndarray, y: np.ndarray, scales: Scales, drop: np.ndarray
    ) -> np.ndarray:
        """Scaled sum over the batch of each run's gradients: float64 [R, D].

        Args:
            x: float32 [R, B, F], or [1, B, F] where all runs see the same records.
            y: labels, int64 [R, B] or [1, B].
            scales: what each record's gradient is multiplied by, given the norms of all.
            drop: bool [R]: runs in which a record whose gradient is not finite contributes nothing.
        """
        total = np.zeros(theta.shape)
        for part in self._parts(x.shape[1]):
            total += self._part(theta, x[:, part], y[:, part], scales, drop)
        return total

    def _part(
        self, theta: np.ndarray, x: np.ndarray, y: np.ndarray, scales: Scales, drop: np.ndarray
    ) -> np.ndarray:
        a, logits = self._forward(theta, x)
        e = loss_gradient(logits, y)
        d = e.transpose(0, 2, 1) @ self._view(theta, "fc2.weight")
        d *= (a > 0) if self._relu else 1 - a * a
        squares = (_squares(x) + 1) * _squares(d)
        squares += (_squares(a) + 1) * _squares(e.transpose(0, 2, 1))
        norms = np.sqrt(squares)
        if not np.isfinite(norms).all():
            bad = ~np.isfinite(norms)
            norms[bad] = 0.0
            bad &= drop[:, None]
            for values in (a, d, e.transpose(0, 2, 1)):
                values[bad] = 0.0
        factors = scales(norms).astype(theta.dtype, copy=False)
        d *= factors[:, :, None]
        e *= factors[:, None, :]
        total = np.empty_like(theta)
        self._view(total, "fc1.weight")[...] = d.transpose(0, 2, 1) @ x
        self._view(total, "fc1.bias")[...] = d.sum(axis=1)
        self._view(total, "fc2.weight")[...] = e @ a
        self._view(total, "fc2.bias")[...] = e.sum(axis=2)
        return total

    def explicit_sums(
        self, theta: np.ndarray, x: np.ndarray, y: np.ndarray, scales: Scales, drop: np.ndarray
    ) -> np.ndarray:
        """The same from explicit per-sample gradients [B, D] of one run after the other."""
        runs, rows, shape = len(theta), x.shape[1], self.network.input_shape
        gradients = np.empty((runs, rows, self.network.size), dtype=theta.dtype)
        for r in range(runs):
            own = x[r % len(x)].reshape(rows, *shape)
            self.network.per_sample_gradients(np, theta[r], own, y[r % len(y)], gradients[r])
        norms = np.sqrt(_squares(gradients))
        bad = ~np.isfinite(norms)
        norms[bad] = 0.0
        gradients[bad & drop[:, None]] = 0.0
        return np.asarray(
            (scales(norms).astype(theta.dtype, copy=False)[:, None, :] @ gradients)[:, 0], dtype=np.float64
        )


def loss_gradient(logits: np.ndarray, y: np.ndarray) -> np.ndarray:
    """softmax - one-hot, in place of the logits [R, K, B]; see ``refdp.models.loss``."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    logits -= y[:, None, :] == np.arange(logits.shape[1])[:, None]
    logits *= np.abs(logits) >= SMALLEST
    return logits


def _squares(values: np.ndarray) -> np.ndarray:
    """Squared norms over the last axis, summed in float64."""
    return np.einsum("rbi,rbi->rb", values, values, dtype=np.float64)
