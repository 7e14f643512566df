"""The tables of docs/s0.md, from the published claims that ship and from refdp's classes: python benchmarks/s0.py

Rewrites the parts of the page between ``<!-- table NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from refdp.audit.actual import actually
from refdp.audit.causes.base import interval
from refdp.audit.examples import example_claim
from refdp.audit.reading import read
from refdp.dpmechanism import NoisePlan
from refdp.figures import lower_figure, upper_figure

PAGE = Path(__file__).resolve().parents[1] / "docs" / "s0.md"
EPSILON, DELTA = 3.0, 1e-5
SMALL = "MNIST and Fashion-MNIST"
SIZES = {SMALL: (60000, 256, 5), "CIFAR-10": (50000, 256, 30)}
PRINTED = {SMALL: 0.2385, "CIFAR-10": 0.6405}
RUNS = (
    (SMALL, "water-filling", 0.25, "s0-mnist-cosine"),
    (SMALL, "radial mix 0b, 0c", 0.125, "s0-mnist-cosine-0.125"),
    ("CIFAR-10", "all three", 0.25, "s0-cifar10-cosine"),
)
CONSTANT = {SMALL: "s0-mnist-constant", "CIFAR-10": "s0-cifar10-constant"}


def accounted(claim_name: str) -> str:
    """Both bounds of what a claim's accountant was told."""
    claim = example_claim(claim_name)
    return interval(read("as accounted", claim.ledger, EPSILON, DELTA, counts=False))


def run(claim_name: str) -> str:
    """Both bounds of what was run: shuffled batches."""
    ran = actually(example_claim(claim_name))
    return interval(read("as run", ran.ledger, EPSILON, DELTA, shuffled=ran.shuffled, counts=False))


def claimed() -> Iterator[str]:
    """What s0 says, and what is true of it."""
    yield (
        "| data | solution | amplitude | s0's multiplier | s0 says | its constant noise, Poisson "
        "| its cosine, Poisson | its cosine, shuffled: what ran |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for data, solution, amplitude, name in RUNS:
        cells = [data, solution, f"{amplitude:g}", f"{PRINTED[data]:g}", "3.00", accounted(CONSTANT[data])]
        yield "| " + " | ".join([*cells, accounted(name), f"**{run(name)}**"]) + " |"


def corrected(sampling: str) -> Iterator[str]:
    """What refdp's classes use for a true 3."""
    yield "| data | solution | noise multiplier | first step | last step | times s0's | epsilon |"
    yield "|---|---|---|---|---|---|---|"
    for data, solution, amplitude, _ in RUNS:
        plan = NoisePlan(*SIZES[data], amplitude, sampling)
        scale = plan.needed(EPSILON, DELTA)
        steps, bounds = plan.schedule(scale).noise_multipliers(), plan.epsilon(scale, DELTA)
        cells = [data, solution, upper_figure(scale), f"{steps[0]:.4g}", f"{steps[-1]:.4g}"]
        cells += [
            f"{scale / PRINTED[data]:.3g}",
            f"{lower_figure(bounds.lower)} to {upper_figure(bounds.upper)}",
        ]
        yield "| " + " | ".join(cells) + " |"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "claimed": claimed,
    "shuffle": lambda: corrected("shuffle"),
    "poisson": lambda: corrected("poisson"),
}


def rewritten(text: str, names: tuple[str, ...] = tuple(TABLES)) -> str:
    """The page with these tables made anew."""
    for name in names:
        body = f"<!-- table {name} -->\n" + "\n".join(TABLES[name]()) + "\n<!-- end -->"
        text, count = re.subn(
            rf"<!-- table {name} -->.*?<!-- end -->", lambda _, new=body: new, text, flags=re.DOTALL
        )
        assert count == 1, name
    return text


def main() -> None:
    """Rewrite the page."""
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
