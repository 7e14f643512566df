"""Training steps of any framework in a file: what went in, what came out of every stage.

    Trace.steps[k]      one step: batch, weights before, per-sample gradients, norms, sums, weights after
    read, write         the ``.npz`` format that docs/traces.md describes

Needs numpy alone, and no framework.
"""

from refdp.traces.reader import read
from refdp.traces.step import Trace, TracedStep
from refdp.traces.writer import write

__all__ = ["Trace", "TracedStep", "read", "write"]
