"""Trace -> ``.npz``."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from refdp.errors import RefDPError
from refdp.files import write_atomically
from refdp.traces.reader import from_arrays
from refdp.traces.step import ARRAYS, BY_NAME, NUMBERS, TEXT, WHOLE, Trace, TracedStep


def write(trace: Trace, path: Path | str) -> None:
    """The file appears whole or not at all; what ``read`` would refuse is refused here.

    Raises:
        RefDPError: the trace is not sound, or the file cannot be written.
    """
    arrays = to_arrays(trace)
    from_arrays(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    try:
        write_atomically(Path(path), buffer.getvalue())
    except OSError as error:
        raise RefDPError(f"trace {str(path)!r}: cannot be written ({error.strerror})") from None


def to_arrays(trace: Trace) -> dict[str, np.ndarray]:
    """Arrays by key; a single step stands at the top of the file."""
    arrays = {"meta": np.array(json.dumps(dict(trace.meta)))}
    for number, step in enumerate(trace.steps):
        prefix = f"step{number}/" if len(trace.steps) > 1 else ""
        arrays |= {prefix + key: values for key, values in _of_step(step).items()}
    return arrays


def _of_step(step: TracedStep) -> dict[str, np.ndarray]:
    arrays = {}
    for key in (*ARRAYS, *NUMBERS, *WHOLE, *TEXT):
        value = getattr(step, key)
        if value is not None:
            arrays[key] = np.asarray(value)
    for kind, attribute in BY_NAME.items():
        arrays |= {f"{kind}/{name}": np.asarray(values) for name, values in getattr(step, attribute).items()}
    return arrays
