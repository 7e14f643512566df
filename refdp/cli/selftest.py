"""``refdp selftest``: does this machine compute what it should?"""

from __future__ import annotations

import time

import click

from refdp.backend import get_backend
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import SEED
from refdp.selftest.run import run_checks


@click.command()
@click.option("--backend", type=click.Choice(["numpy", "cupy"]), default="numpy", show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Chooses the random inputs.")
@output_options
def selftest(backend: str, seed: int, as_json: bool, quiet: bool) -> int:
    """Checks of gradients, clipping, noise, a short run and the accountant, on this machine's hardware.

    A line a check, with its figure. Exit code 4 if a check disagrees.

    \b
    refdp selftest
    refdp selftest --backend cupy --json
    """
    output, begun = Output(as_json, quiet), time.perf_counter()
    chosen = get_backend(backend)
    output.say(f"checks on {backend}, seed {seed}")
    checks = []
    for check in run_checks(chosen, seed):
        checks.append(check)
        if not as_json:
            click.echo(check.line())
    failed = [f"{check.group}: {check.name}" for check in checks if not check.holds]
    seconds = time.perf_counter() - begun
    answer = {
        "schema": "refdp-selftest/1",
        "backend": backend,
        "seed": seed,
        "holds": not failed,
        "failed": failed,
        "seconds": seconds,
        "checks": [check.to_json() for check in checks],
    }
    verdict = (
        f"all {len(checks)} checks hold" if not failed else f"{len(failed)} of {len(checks)} checks fail"
    )
    output.answer(answer, f"{verdict}, {seconds:.1f} s" + "".join(f"\n  {name}" for name in failed))
    return 4 if failed else 0
