"""The model that a step is held against, from whatever names it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refdp.errors import RefDPError
from refdp.models import Network, description, models
from refdp.models.shapes import NATURAL
from refdp.traces import Trace


def network_of(model: Any, trace: Trace) -> Network | None:
    """The network, or None where neither ``model`` nor the trace says which it is.

    Args:
        model: a Network; a registered model's specification such as ``mnistnet:activation=tanh``; a description
            (``refdp.models.description``); or None for what the trace's meta says under ``layers`` or ``model``.
        trace: its first step tells shapes that a specification leaves open.
    """
    if model is None:
        model = trace.meta.get("layers") or trace.meta.get("model")
    if model is None or isinstance(model, Network):
        return model
    if isinstance(model, Mapping):
        return description.build(model)
    if not isinstance(model, str):
        raise RefDPError(
            f"model: is a {type(model).__name__}, must be a network, a specification or a description"
        )
    return models.create(model).build(*_shapes(model, trace))


def _shapes(model: str, trace: Trace) -> tuple[tuple[int, ...], int]:
    """Shape of one sample, channels-last, and number of classes: of the recorded arrays, or the natural ones."""
    step = trace.steps[0]
    shapes = list(step.shapes.values())
    name = model.partition(":")[0].strip()
    natural = NATURAL.get(name)
    if natural is None and (step.x is None or not shapes):
        raise RefDPError(f"model = {model!r}: record x and param, which tell its shapes")
    classes = shapes[-1][0] if shapes and shapes[-1] else natural[1] if natural else 0
    if step.x is None or step.x.ndim == 2:
        return (natural[0] if step.x is None and natural else tuple(step.x.shape[1:]), classes)  # type: ignore[union-attr]
    shape = tuple(step.x.shape[1:])
    layout = trace.meta.get("layout")
    if layout is None:  # few channels, many pixels
        layout = "channels-last" if shape[-1] < shape[0] else "channels-first"
    return (shape if layout == "channels-last" else (*shape[1:], shape[0])), classes
