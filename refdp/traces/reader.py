"""``.npz`` -> Trace. Everything unknown, misshapen or of another type is refused by name; pickle is never read."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from refdp.errors import RefDPError
from refdp.traces.step import ARRAYS, BY_NAME, NUMBERS, TEXT, WHOLE, Trace, TracedStep

_STEP = re.compile(r"step(0|[1-9][0-9]*)/(.+)", re.DOTALL)
LARGEST, LARGEST_RATIO = 2**30, 20
"""What a file may unpack to: so many bytes, or so many times its own size."""
_BOUNDS = {"clip_norm": "> 0", "noise_multiplier": ">= 0", "divisor": "> 0", "expected_batch_size": "> 0"}


def read(path: Path | str) -> Trace:
    """The trace in this file.

    What stands at the top of a file of several steps holds for each of them, and weights before a step that are not
    given are those after the step before, unless their numbers say that steps lie between them.

    Raises:
        RefDPError: no such file, no sound npz, an unknown or repeated key, a wrong type or shape, settings that are out
            of range, or steps with gaps; the text names the key.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise RefDPError(f"trace {str(path)!r}: cannot be read ({error.strerror})") from None
    try:
        return from_arrays(_arrays(content))
    except RefDPError as error:
        raise RefDPError(f"trace {str(path)!r}: {error}") from None


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > max(LARGEST, LARGEST_RATIO * len(content)):
            raise RefDPError(
                f"would unpack to {unpacked} bytes from {len(content)}; write it with numpy.savez"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except RefDPError:
        raise
    except Exception as error:  # whatever the reader meets in bytes that are no such file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RefDPError(
            f"no sound .npz file ({reason}); write it with numpy.savez, without pickle"
        ) from None
    if len(set(names)) < len(names):
        raise RefDPError("two arrays have one name; write each once")
    return arrays


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Trace:
    """The same from arrays by key, as ``numpy.savez`` would be given them."""
    common: dict[str, Any] = {}
    numbered: dict[int, dict[str, Any]] = {}
    meta: dict[str, Any] = {}
    for key, values in arrays.items():
        if key == "meta":
            meta = _meta(values)
        elif found := _STEP.fullmatch(key):
            numbered.setdefault(int(found[1]), {})[found[2]] = np.asarray(values)
        else:
            common[key] = np.asarray(values)
    if sorted(numbered) != list(range(len(numbered))):
        raise RefDPError(f"steps {sorted(numbered)}: must be numbered step0, step1, ... without gaps")
    if not numbered and not common:
        raise RefDPError("holds no step; record at least one of its stages")
    steps: list[TracedStep] = []
    for number in range(max(1, len(numbered))):
        own = common | numbered.get(number, {})
        try:
            steps.append(_step(own, steps[-1] if steps else None))
        except RefDPError as error:
            raise RefDPError(f"step{number}: {error}" if numbered else str(error)) from None
    return Trace(tuple(steps), meta)


def _meta(values: Any) -> dict[str, Any]:
    try:
        found = json.loads(str(np.asarray(values)[()]))
    except (ValueError, RecursionError, IndexError):
        found = None
    if not isinstance(found, dict):
        raise RefDPError("meta: must be a JSON object in a string; json.dumps it")
    return found


def _step(arrays: dict[str, np.ndarray], before: TracedStep | None) -> TracedStep:
    given: dict[str, Any] = {attribute: {} for attribute in BY_NAME.values()}
    for key, values in arrays.items():
        kind, slash, name = key.partition("/")
        if slash and kind in BY_NAME and name:
            given[BY_NAME[kind]][name] = _floating(key, values)
        elif key in ARRAYS:
            given[key] = _whole(key, values) if key in ("y", "batch_index") else _plain(key, values)
        elif key in NUMBERS:
            given[key] = _number(key, values)
        elif key in WHOLE:
            given[key] = _count(key, values)
        elif key in TEXT:
            given[key] = (
                str(values[()])
                if values.ndim == 0 and values.dtype.kind == "U"
                else _refuse(key, "must be text")
            )
        else:
            known = ", ".join(
                (*ARRAYS, *(f"{kind}/NAME" for kind in BY_NAME), *NUMBERS, *WHOLE, *TEXT, "meta")
            )
            raise RefDPError(
                f"{key!r}: unknown (known: {known}, each of them also under step0/, step1/, ...)"
            )
    step = TracedStep(**given)
    if before is not None:
        if step.step is not None and before.step is not None and step.step <= before.step:
            _refuse("step", f"is {step.step} after {before.step}; steps stand in the order they were taken")
        if not step.params and step.follows(before):
            step = replace(step, params=dict(before.params_after))
    _check_shapes(step)
    return step


def _floating(key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        _refuse(key, f"is {values.dtype}, must be floating point")
    return values


def _plain(key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiu" or values.ndim < 1:
        _refuse(key, f"is {values.dtype} of shape {values.shape}, must be numbers, a row a sample")
    return values


def _whole(key: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iu" or values.ndim != 1:
        _refuse(key, f"is {values.dtype} of shape {values.shape}, must be whole numbers of shape (B,)")
    if values.size and int(values.min()) < 0:
        _refuse(key, f"holds {int(values.min())}, must be >= 0")
    return values.astype(np.int64)


def _number(key: str, values: np.ndarray) -> float:
    if values.dtype.kind not in "fiu" or values.size != 1:
        _refuse(key, f"is {values.dtype} of shape {values.shape}, must be one number")
    value = float(values.reshape(())[()])
    low = 0.0 if key in _BOUNDS else -np.inf
    if not low <= value < np.inf or (_BOUNDS.get(key) == "> 0" and value == 0) or value == -np.inf:
        _refuse(key, f"= {value!r}, must be a finite number {_BOUNDS.get(key, '')}".rstrip())
    return value


def _count(key: str, values: np.ndarray) -> int:
    if values.dtype.kind not in "iu" or values.size != 1 or int(values.reshape(())[()]) < 0:
        _refuse(key, "must be one whole number >= 0")
    return int(values.reshape(())[()])


def _check_shapes(step: TracedStep) -> None:
    """One batch size, and one shape a parameter, throughout."""
    size = step.batch_size
    rows = {"x": step.x, "y": step.y, "norms": step.norms, "batch_index": step.batch_index}
    rows |= {f"grad_sample/{name}": values for name, values in step.grad_sample.items()}
    for key, values in rows.items():
        if values is not None and (values.ndim < 1 or len(values) != size):
            _refuse(key, f"has shape {values.shape}, must have a row for each of the {size} samples")
    if step.norms is not None and step.norms.ndim != 1:
        _refuse("norms", f"has shape {step.norms.shape}, must be ({size},)")
    shapes = step.shapes
    for kind, attribute in BY_NAME.items():
        for name, values in getattr(step, attribute).items():
            if name not in shapes:
                continue  # known from noised_sum alone
            seen = values.shape[1:] if kind == "grad_sample" else values.shape
            fits = seen == shapes[name] or (
                kind == "noised_sum" and seen[1:] == shapes[name] and len(values) > 0
            )
            if not fits:
                _refuse(f"{kind}/{name}", f"has shape {values.shape}, where the parameter has {shapes[name]}")
    for attribute in BY_NAME.values():
        names = set(getattr(step, attribute))
        if names and step.params and names != set(step.params):
            odd = sorted(names ^ set(step.params))
            raise RefDPError(
                f"{attribute}: parameters {odd} are not in both it and param; record all, or leave the kind out"
            )


def _refuse(key: str, why: str) -> Any:
    raise RefDPError(f"{key}: {why}")
