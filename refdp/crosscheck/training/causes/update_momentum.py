"""Another momentum than PyTorch's v = m v + g, theta -= rate v: Nesterov's, dampened, forgotten, or reversed."""

from __future__ import annotations

from refdp.crosscheck.training.moves import closest, moves
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import Arrays, StepView

STAGE = "update"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The closest of them, where there is momentum."""
    seen = moves(view, stage)
    if seen is None or not seen.momentum:
        return None
    m, rate = seen.momentum, seen.rate

    def combined(old: float, new: float) -> Arrays:
        return {n: -rate * (old * seen.velocity[n] + new * values) for n, values in seen.gradient.items()}

    made = (
        ("momentum-nesterov", "Nesterov's momentum, g + m v", combined(m * m, 1.0 + m)),
        (
            "momentum-dampened",
            f"momentum with (1 - {m:g}) of the gradient: a moving average",
            combined(m, 1.0 - m),
        ),
        ("momentum-forgotten", "plain SGD: the memory is lost", combined(0.0, 1.0)),
        ("momentum-reversed", f"(1 - {m:g}) v + {m:g} g: the two weights exchanged", combined(1.0 - m, m)),
        ("momentum-late", "the memory alone, without this step's gradient", combined(1.0, 0.0)),
    )
    return closest([seen.cause(id_, text, True, arrays, tolerance) for id_, text, arrays in made])
