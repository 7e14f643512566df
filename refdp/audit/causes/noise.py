"""How far the noise is from what the claim needs: said of every refutation, and the last resort of one."""

from __future__ import annotations

from collections.abc import Iterator

from refdp.audit.causes.base import Case, Cause
from refdp.figures import upper_figure

ORDER = 90


def find(case: Case) -> Iterator[Cause]:
    """Of each reading that refutes the claim."""
    for reading in case.readings:
        if not case.refutes(reading):
            continue
        used, needed = reading.noise_multiplier, reading.needed
        if used and needed and needed > used:
            yield Cause(
                "too-little-noise",
                f"{reading.name}, epsilon {case.figure()} needs noise multiplier {upper_figure(needed)}; {used:.6g} is "
                f"{needed / used:.3g} times too little.",
            )
        elif not used:
            yield Cause("no-noise", f"{reading.name}, a step was released without noise: no epsilon holds.")
        else:
            yield Cause(
                "too-little-noise",
                f"{reading.name}, no noise on the gradients brings epsilon to {case.figure()}.",
            )
