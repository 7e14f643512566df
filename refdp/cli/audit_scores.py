"""``refdp audit scores``: lower bounds on epsilon from a file of canaries' scores, of any framework."""

from __future__ import annotations

import math
from pathlib import Path

import click

from refdp.accounting import GaussianEvent, Ledger, epsilon
from refdp.audit.estimators import Design, estimators
from refdp.audit.report import Theory, as_text, check_target, draw, refuse_no_bound, report
from refdp.audit.scores import Scores, read_scores
from refdp.cli.inputs import read_text
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import DELTA, NON_NEGATIVE, Number
from refdp.errors import RefDPError

_CONFIDENCE = Number("> 0.5 and < 1, for example 0.95", lambda x: 0.5 < x < 1)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--delta", type=DELTA, help="[default: the file's, else 1e-5]")
@click.option(
    "--confidence", type=_CONFIDENCE, default=0.95, show_default=True, help="Of each bound, one-sided."
)
@click.option(
    "--claimed-epsilon", type=NON_NEGATIVE, help="[default: the file's, else --theory-ledger's upper bound]"
)
@click.option(
    "--estimator",
    metavar="NAME",
    help="The verdict goes by it; name it before you see any score [default: one-run with fair coins, else "
    "clopper-pearson].",
)
@click.option("--fair-coins", is_flag=True, help="Each canary was planted by a fair coin of its own.")
@click.option("--lower-is-member", is_flag=True, help="Members score lower: losses.")
@click.option(
    "--theory-ledger", metavar="LEDGER.json", help="What was run; its epsilon stands beside the bounds."
)
@click.option(
    "--quick", is_flag=True, help="Leave out what this experiment, or a larger one, could have shown."
)
@click.option("--plot", metavar="FILE", help="Draw it (.svg, .png, .pdf).")
@output_options
def scores(
    file: str,
    delta: float | None,
    confidence: float,
    claimed_epsilon: float | None,
    estimator: str | None,
    fair_coins: bool,
    lower_is_member: bool,
    theory_ledger: str | None,
    quick: bool,
    plot: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Does this training run leak more than claimed? FILE holds a score for each canary: CSV with columns
    score,member[,run][,canary] (member: 1, 0 or reference), JSON or JSON Lines (refdp-scores/1), or npz.

    \b
    refdp audit scores scores.csv --fair-coins --claimed-epsilon 4 --estimator one-run
    refdp audit scores losses.npz --lower-is-member --theory-ledger ledger.json --plot audit.svg

    Exit code 3: the declared estimator's bound exceeds the claim; 0: it does not, or there is no claim; 2: bad
    input, or scores on which the declared estimator allows no bound.
    """
    output = Output(as_json, quiet)
    if plot is not None:
        check_target(Path(plot))
    if estimator is not None:
        estimators.get(estimator)
    ledger = None if theory_ledger is None else Ledger.from_json(read_text(theory_ledger))
    read = read_scores(file, fair_coins=fair_coins, lower_is_member=lower_is_member)
    at = next(value for value in (delta, read.delta, 1e-5) if value is not None)
    if delta is not None and read.delta not in (None, delta):
        if claimed_epsilon is None and read.claimed_epsilon is not None:
            raise RefDPError(
                f"--delta {delta:g}: the file claims epsilon {read.claimed_epsilon:g} at delta {read.delta:g}, which "
                "says nothing of another delta; leave --delta out, or give --claimed-epsilon at it"
            )
        output.say(f"--delta {delta:g} is taken, not the file's {read.delta:g}")
    theory = Theory() if ledger is None else theory_of(ledger, at)
    claimed = read.claimed_epsilon if claimed_epsilon is None else claimed_epsilon
    if claimed is None and theory.upper is not None and math.isfinite(theory.upper):
        claimed = theory.upper
        output.say(f"no claim is given: the ledger's upper bound, {claimed:.10g}, is taken for it")
    design = Design(at, confidence, claimed)
    found = report(read.scores, design, theory, claimed, estimator or default_estimator(read.scores), quick)
    refuse_no_bound(found)
    if plot is not None:
        draw(found, Path(plot))
        output.say(f"picture in {plot}")
    output.answer(found.to_json(), as_text(found))
    return found.exit_code


def default_estimator(scores: Scores) -> str:
    """The one that assumes least; chosen by how the canaries were planted, never by what they score."""
    return "one-run" if scores.fair_coins else "clopper-pearson"


def theory_of(ledger: Ledger, delta: float) -> Theory:
    """What is proved of a ledger, and what it says about batches; refuses a ledger no bound is known for."""
    bounds = epsilon(ledger, delta)
    events = [event for event in ledger.events if not event.is_no_op()]
    schemes: list[str] = []
    for event in events:
        rate = event.sampling.rate
        text = event.sampling.scheme if rate is None else f"{event.sampling.scheme} at rate {rate:.6g}"
        if text not in schemes:
            schemes.append(text)
    constant = len({value for event in events for value in event.multipliers()[0]}) == 1
    only = all(isinstance(event, GaussianEvent) for event in events)
    return Theory(
        bounds.lower,
        bounds.upper,
        ", then ".join(schemes) or None,
        int(sum(event.multipliers()[1].sum() for event in events)) if only else None,
        float(events[0].multipliers()[0][0]) if constant and only else None,
        all(event.sampling.scheme == "full-batch" for event in events) if events else None,
    )
