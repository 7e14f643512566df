"""A whole trace, judged stage by stage and step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from refdp.crosscheck.training import causes
from refdp.crosscheck.training.result import DIFFERS, MISSING, Stage
from refdp.crosscheck.training.stages import batch, clipped_sum, gradients, noise, norms, update
from refdp.crosscheck.training.view import Arrays, StepView
from refdp.errors import RefDPError
from refdp.models import Network
from refdp.traces import Trace

TOLERANCE = 1e-5
STAGES: tuple[Callable[[StepView, float], Stage], ...] = (
    batch.judge,
    gradients.judge,
    norms.judge,
    clipped_sum.judge,
    noise.judge,
    update.judge,
)


@dataclass(frozen=True)
class Judged:
    """A step: its number in the trace, and its stages in order."""

    number: int
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Verdict:
    """A trace.

    Attributes:
        trace: what was judged.
        steps: every step.
        overall: stages that all steps share: what only many steps can tell.
    """

    trace: Trace
    steps: tuple[Judged, ...]
    overall: tuple[Stage, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether no stage that could be judged differs."""
        return self.parted is None and all(stage.status != DIFFERS for stage in self.overall)

    @property
    def parted(self) -> tuple[int, Stage] | None:
        """The first step at which something differs, and the stage that parted them."""
        found = ((step.number, stage) for step in self.steps for stage in step.stages)
        return next(((number, stage) for number, stage in found if stage.status == DIFFERS), None)

    @property
    def judged(self) -> int:
        """How many stages could be judged at all."""
        stages = [stage for step in self.steps for stage in step.stages]
        return sum(stage.status != MISSING for stage in (*stages, *self.overall))


def check_trace(trace: Trace, network: Network | None = None, tolerance: float = TOLERANCE) -> Verdict:
    """Judge every stage of every step.

    Args:
        trace: as read.
        network: the model, in refdp; without it gradients are taken as recorded.
        tolerance: relative, > 0.

    Guarantees:

    G1. A stage "agrees" only where recorded numbers were held against refdp's own; what was not recorded is said.
    G2. NaN and inf that refdp does not have as well never agree.
    G3. A stage is held against the stage before it as recorded: one fault makes one stage differ.

    Raises:
        RefDPError: nothing in the trace can be judged, or its batch does not fit the model.
    """
    if not isinstance(tolerance, int | float) or not 0 < tolerance < 1:
        raise RefDPError(f"tolerance = {tolerance!r}: must be > 0 and < 1")
    steps, sound = [], []
    for number, view in enumerate(_views(trace, network)):
        stages = tuple(_explained(view, judge(view, tolerance), tolerance) for judge in STAGES)
        steps.append(Judged(number, stages))
        view.forget_gradients()
        failed = any(stage.name == noise.NAME and stage.status == DIFFERS for stage in stages)
        sound.append(StepView(dataclasses.replace(view.step, noised_sum={})) if failed else view)
    together = noise.judge_all(tuple(sound))  # of noise that is sound by itself: a fault is found once
    verdict = Verdict(trace, tuple(steps), () if together is None else (together,))
    if not verdict.judged:
        reasons = "; ".join(dict.fromkeys(stage.against for step in steps for stage in step.stages))
        raise RefDPError(f"nothing in this trace can be judged: {reasons}")
    return verdict


def _explained(view: StepView, stage: Stage, tolerance: float) -> Stage:
    if stage.status == MISSING and stage.name != batch.NAME:  # a batch has a size all the same
        return stage
    return dataclasses.replace(stage, causes=(*stage.causes, *causes.explain(view, stage, tolerance)))


def _views(trace: Trace, network: Network | None) -> Iterator[StepView]:
    velocity: Arrays | None = None
    for number, step in enumerate(trace.steps):
        if step.step == 0:
            velocity = {name: np.zeros(shape) for name, shape in step.shapes.items()}
        elif number and not step.follows(trace.steps[number - 1]):
            velocity = None  # steps in between were not recorded
        view = StepView(step, network, trace.meta, velocity, trace.steps[:number])
        yield view
        velocity = next_velocity(view)


def next_velocity(view: StepView) -> Arrays | None:
    """Momentum's memory after the step; None where it cannot be known."""
    step = view.step
    divisor = step.divisor if step.divisor is not None else step.expected_batch_size
    if view.velocity is None or view.released is None or divisor is None or step.momentum is None:
        return None
    return {
        name: step.momentum * view.velocity[name] + total / divisor for name, total in view.released.items()
    }
