"""Time what the accountant is asked: one query, thousands of distinct multipliers, calibration, import.

    python benchmarks/accounting.py [--repeats 3] [--steps 5850]

Prints seconds (median of the repeats, one process) and the answers. Opacus and dp-accounting are timed in the same
run on the same questions where they are installed, and skipped with a word where they are not.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from refdp.accounting import (
    GaussianEvent,
    Ledger,
    Sampling,
    Schedule,
    calibrate_noise_multiplier,
    calibrate_scale,
    epsilon,
)

DELTA, TARGET = 1e-5, 3.0
RATE, MULTIPLIER, STEPS = 256 / 60000, 1.1, 1170
S0_RATE = 512 / 50000  # s0's CIFAR-10 run


def timed(name: str, repeats: int, call: Callable[[], object]) -> None:
    """One line: median seconds, and the last answer."""
    seconds = []
    answer: object = None
    for _ in range(repeats):
        begin = time.perf_counter()
        answer = call()
        seconds.append(time.perf_counter() - begin)
    print(f"{name:<58}{statistics.median(seconds):>10.3f} s   {answer}", flush=True)


def constant() -> Ledger:
    return Ledger("add-remove", (GaussianEvent(MULTIPLIER, Sampling("poisson", RATE), STEPS),))


def cosine(steps: int, scale: float) -> Ledger:
    noise = Schedule("cosine", steps, scale, {"amplitude": 0.25})
    return Ledger("add-remove", (GaussianEvent(noise, Sampling("poisson", S0_RATE), steps),))


def both(ledger: Ledger, accountant: str = "all") -> str:
    found = epsilon(ledger, DELTA, accountant)
    return f"[{found.lower}, {found.upper}]"


def opacus(name: str, multipliers: list[float], rate: float) -> Callable[[], object]:
    from opacus.accountants import create_accountant  # type: ignore[import-not-found]

    def call() -> object:
        accountant = create_accountant(name)
        accountant.history = [(sigma, rate, 1) for sigma in multipliers]
        return accountant.get_epsilon(DELTA)

    return call


def dp_accounting(kind: str, multipliers: list[float], rate: float) -> Callable[[], object]:
    import dp_accounting as dp  # type: ignore[import-not-found]
    from dp_accounting.pld import PLDAccountant  # type: ignore[import-not-found]
    from dp_accounting.rdp import RdpAccountant  # type: ignore[import-not-found]

    def call() -> object:
        accountant = {"pld": PLDAccountant, "rdp": RdpAccountant}[kind]()
        for sigma in dict.fromkeys(multipliers):
            event = dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(sigma))
            accountant.compose(event, multipliers.count(sigma))
        return accountant.get_epsilon(DELTA)

    return call


def main() -> None:
    """Run every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5850, help="distinct multipliers of the schedule")
    arguments = parser.parse_args()
    n, steps = arguments.repeats, arguments.steps
    code = "import refdp.accounting"
    timed(
        "refdp: import (fresh process)",
        n,
        lambda: subprocess.run([sys.executable, "-c", code], check=True) and "",
    )
    timed("refdp: one query, constant multiplier, both sides", n, lambda: both(constant()))
    timed("refdp: the same, RDP alone", n, lambda: both(constant(), "rdp"))
    timed(f"refdp: {steps:,} distinct multipliers, RDP", n, lambda: both(cosine(steps, 1.0), "rdp"))
    timed(f"refdp: {steps:,} distinct multipliers, both sides", 1, lambda: both(cosine(steps, 1.0), "pld"))
    timed(
        "refdp: calibrate a constant multiplier",
        n,
        lambda: calibrate_noise_multiplier(TARGET, DELTA, RATE, STEPS).value,
    )
    timed(
        f"refdp: calibrate the scale of {steps:,} multipliers",
        1,
        lambda: calibrate_scale(lambda scale: cosine(steps, scale), TARGET, DELTA).value,
    )
    flat = [MULTIPLIER] * STEPS
    varied = cosine(steps, 1.0).events[0].multipliers()[0].tolist()
    for package, maker, names in (
        ("opacus", opacus, ("rdp", "prv")),
        ("dp_accounting", dp_accounting, ("rdp", "pld")),
    ):
        if importlib.util.find_spec(package) is None:
            print(f"{package}: not installed, skipped")
            continue
        for name in names:
            timed(f"{package} {name}: one query, constant multiplier", n, maker(name, flat, RATE))
        timed(f"{package} rdp: {steps:,} distinct multipliers", 1, maker("rdp", varied, S0_RATE))


if __name__ == "__main__":
    main()
