"""refdp beside other tools: each asked in a process of its own, judged by refdp, and explained.

assert_valid_epsilon      an accountant's epsilon
assert_gradients_match    per-sample gradients
assert_step_matches       a whole training step, or many
check.crosscheck          ledgers through every accountant there is; the command is ``refdp crosscheck accountant``
training                  the same for gradients and steps: ``refdp crosscheck gradients`` and ``step``

Adding an accountant is one file in ``peers``, adding a cause of disagreement one in ``reasons``.
"""

from typing import Any

from refdp.crosscheck.assertion import assert_valid_epsilon, likely_cause

__all__ = ["assert_gradients_match", "assert_step_matches", "assert_valid_epsilon", "likely_cause"]


def __getattr__(name: str) -> Any:
    """The assertions that need models are imported when they are asked for."""
    if name in ("assert_gradients_match", "assert_step_matches"):
        from refdp.crosscheck.training import assertion

        return getattr(assertion, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
