"""Assertions for a framework's own test suite: does this code compute what DP-SGD says?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from refdp.crosscheck.training.check import TOLERANCE, Verdict, check_trace
from refdp.crosscheck.training.model import network_of
from refdp.crosscheck.training.result import DIFFERS, MISSING, Stage
from refdp.crosscheck.training.view import double, norms_of
from refdp.errors import RefDPError
from refdp.traces import Trace, TracedStep, read
from refdp.traces.reader import from_arrays


def assert_gradients_match(
    model: Any,
    params: Mapping[str, Any],
    x: Any,
    y: Any,
    grad_sample: Mapping[str, Any],
    *,
    norms: Any = None,
    clipped_sum: Mapping[str, Any] | None = None,
    clip_norm: float | None = None,
    layout: str | None = None,
    tolerance: float = TOLERANCE,
) -> None:
    """Raise AssertionError unless these per-sample gradients are those of the cross-entropy of each sample.

    They are held against refdp's explicit gradients in float64, parameter by parameter: |difference| / |expected|,
    Euclidean, over the whole batch, at most ``tolerance``.

    Args:
        model: a registered specification such as ``mnistnet``, a ``refdp.models.Network``, or a description of one.
        params: weights by name in PyTorch's layouts: a ``state_dict()``, or arrays.
        x: the model's input [B, ...]; y: labels [B].
        grad_sample: by name [B, *shape].
        norms: [B], checked as well where given; so are clipped_sum (by name [*shape]) with clip_norm.
        layout: of x, channels-first or channels-last, where its shape does not tell.

    Guarantees:

    G1. Passes only where every parameter was compared, with finite figures.
    G2. The text names the stage, the parameter, how far apart they are, and a known cause that gives these numbers.
    G3. Malformed arguments raise RefDPError (a ValueError), never AssertionError.
    """
    __tracebackhide__ = True
    arrays = {"x": x, "y": y} | _named("param", params) | _named("grad_sample", grad_sample)
    if norms is not None:
        arrays["norms"] = norms
    arrays |= _named("clipped_sum", clipped_sum or {})
    if clip_norm is not None:
        arrays["clip_norm"] = clip_norm
    if clipped_sum and clip_norm is None:
        raise RefDPError("clip_norm: is needed where clipped_sum is given")
    trace = from_host(arrays, {} if layout is None else {"layout": layout})
    _check_rows(trace.steps[0])
    verdict = judged(trace, model, tolerance)
    _require(verdict, ("gradients",))
    _raise(verdict, ())


def assert_step_matches(
    trace: Trace | Path | str | Mapping[str, Any],
    model: Any = None,
    *,
    tolerance: float = TOLERANCE,
    require: Iterable[str] = (),
    allow: Iterable[str] = (),
) -> None:
    """Raise AssertionError unless every recorded stage of every recorded step is DP-SGD's.

    Args:
        trace: a Trace, the path of one, or arrays by key as ``numpy.savez`` would be given them (docs/traces.md).
        model: as for ``assert_gradients_match``; by default what the trace says.
        tolerance: relative, in (0, 1).
        require: stages that must have been judged: gradients, norms, "clipped sum", noise, update, batch.
        allow: ids of known causes (docs/known-causes.md) that are not failures.

    Guarantees:

    G1. Passes only where at least one stage was judged, all ``require`` among them, and none differs for another cause
        than those allowed.
    G2, G3. As for ``assert_gradients_match``.
    """
    __tracebackhide__ = True
    if isinstance(trace, str | Path):
        trace = read(trace)
    elif isinstance(trace, Mapping):
        trace = from_host(trace)
    verdict = judged(trace, model, tolerance)
    _require(verdict, _names(require))
    _raise(verdict, _names(allow))


def _check_rows(step: TracedStep) -> None:
    """Nothing is compared where there is no sample, or no sample of which the gradient is a number."""
    if not step.batch_size:
        raise RefDPError("y: holds no sample; nothing could be compared")
    known = all(np.isfinite(values).all() for values in step.params.values())
    if not known and step.grad_sample and not np.isfinite(norms_of(double(step.grad_sample))).any():
        raise RefDPError("params: hold NaN or inf, and so does every gradient; nothing could be compared")


def judged(trace: Trace, model: Any, tolerance: float = TOLERANCE) -> Verdict:
    """``check_trace`` with the model that is named."""
    return check_trace(trace, network_of(model, trace), tolerance)


def from_host(arrays: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> Trace:
    """A trace from arrays, tensors or numbers by key."""
    host: dict[str, np.ndarray] = {}
    for key, values in arrays.items():
        try:
            host[str(key)] = on_host(values)
        except (TypeError, ValueError) as error:  # ragged lists, tensors of types that numpy has not
            reason = " ".join(str(error).split())
            raise RefDPError(f"{key}: is no array of numbers ({reason}); give a numpy array") from None
    if meta:
        host["meta"] = np.array(json.dumps(dict(meta)))
    return from_arrays(host)


def on_host(values: Any) -> np.ndarray:
    """A numpy array of a torch tensor (on any device), a JAX array, or whatever numpy takes."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def _named(kind: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(arrays, Mapping):
        raise RefDPError(f"{kind}: is a {type(arrays).__name__}, must be arrays by name")
    return {f"{kind}/{name}": values for name, values in arrays.items()}


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _require(verdict: Verdict, names: tuple[str, ...]) -> None:
    known = {stage.name for step in verdict.steps for stage in step.stages}
    for name in names:
        if name not in known:
            raise RefDPError(f"require: {name!r} is no stage; choose among {', '.join(sorted(known))}")
        for step in verdict.steps:
            for stage in step.stages:
                if stage.name == name and stage.status == MISSING:
                    raise RefDPError(f"step {step.number}: {name} cannot be judged: {stage.against}")


def _raise(verdict: Verdict, allow: tuple[str, ...]) -> None:
    __tracebackhide__ = True
    found = [(f"step {step.number}", stage) for step in verdict.steps for stage in step.stages]
    found += [("all steps", stage) for stage in verdict.overall]
    failed = [
        (place, stage) for place, stage in found if stage.status == DIFFERS and not _allowed(stage, allow)
    ]
    if failed:
        first, *others = failed
        more = f"\n  ... and {len(others)} stages more: " + ", ".join(f"{p}: {s.name}" for p, s in others[:6])
        raise AssertionError(describe(*first) + (more if others else ""))


def _allowed(stage: Stage, allow: tuple[str, ...]) -> bool:
    return bool(stage.causes) and stage.causes[0].id in allow


def describe(place: str, stage: Stage) -> str:
    """A stage that differs, in words: where, by how much, and why."""
    lines = [f"{place}: {stage.name} differ from {stage.against}"]
    worst = sorted(stage.differences, key=lambda d: -d.relative)[:3]
    lines += [f"  {d.name}: relative {d.relative:.3g}, absolute {d.absolute:.3g}" for d in worst]
    if stage.causes:
        lines += [f"  likely cause: {cause.id}: {cause.text}" for cause in stage.causes[:3]]
    else:
        lines.append("  no known cause gives these numbers")
    return "\n".join(lines)
