"""What ``epsilon`` and ``delta`` share: which ledger, which accountant, and how an answer reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from refdp.accounting import ACCOUNTANTS, Bounds, Ledger
from refdp.accounting.accountant import CONVERSION
from refdp.accounting.conversions import CONVERSIONS
from refdp.cli.inputs import read_text
from refdp.cli.ledger_flags import ledger_family
from refdp.cli.output import Output
from refdp.cli.parameters import NON_NEGATIVE
from refdp.cli.run_flags import RunFlags, run_flags
from refdp.errors import RefDPError
from refdp.figures import lower_figure, upper_figure


def query_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a question about one ledger."""
    options: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.option(
            "--noise-multiplier", type=NON_NEGATIVE, help="Noise standard deviation on the sum / clip norm."
        ),
        run_flags,
        click.option(
            "--ledger", "ledger_file", metavar="FILE", help="Account for this ledger file instead of flags."
        ),
        click.option("--accountant", type=click.Choice(ACCOUNTANTS), default="all", show_default=True),
        click.option(
            "--conversion",
            type=click.Choice(sorted(CONVERSIONS)),
            default=CONVERSION,
            show_default=True,
            help="From Renyi DP to epsilon.",
        ),
        click.option("--exact", is_flag=True, help="Group no noise multipliers, however many there are."),
        click.option(
            "--plot", metavar="FILE", help="Draw the privacy curve into this file (.png, .pdf, .svg)."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True)
class Question:
    """A ledger, the steps it has where flags said so, and how to account for it."""

    ledger: Ledger
    steps: int | None
    accountant: str
    options: dict[str, Any]


def is_described(noise_multiplier: float | None, run: RunFlags) -> bool:
    """Whether any flag describes a run."""
    return noise_multiplier is not None or run != RunFlags()


def question(
    output: Output,
    *,
    noise_multiplier: float | None,
    ledger_file: str | None,
    accountant: str,
    conversion: str,
    exact: bool,
    **flags: Any,
) -> Question:
    """The question that the options of ``query_options`` (less --plot) put."""
    run = RunFlags(**flags)
    options = {"conversion": conversion, "exact": exact}
    if ledger_file is not None:
        if is_described(noise_multiplier, run):
            raise RefDPError("--ledger: give it alone, without flags that describe a run")
        return Question(Ledger.from_json(read_text(ledger_file)), None, accountant, options)
    if noise_multiplier is None:
        raise RefDPError("--noise-multiplier: is needed (or --ledger FILE)")
    family = ledger_family(run)
    say_steps(output, run, family.steps)
    return Question(family.at(noise_multiplier), family.steps, accountant, options)


def say_steps(output: Output, run: RunFlags, steps: int | None) -> None:
    """Prose: how many steps the epochs were taken for."""
    if run.epochs is not None and steps is not None:
        output.say(f"{run.epochs} epochs = {steps} steps")


def describe(bounds: Bounds) -> str:
    """A few lines of text: the enclosure, which side each number bounds, and what won."""
    at = "delta" if bounds.quantity == "epsilon" else "epsilon"
    won = _winner(bounds)
    lines = [
        f"{bounds.quantity} at {at} = {bounds.at!r}, {bounds.neighboring}",
        f"  upper bound  {upper_figure(bounds.upper)}   (what may be claimed{won})",
        f"  lower bound  {lower_figure(bounds.lower)}   (the true value is at least this)",
    ]
    if bounds.pld:
        low, high = lower_figure(bounds.pld["lower"]), upper_figure(bounds.pld["upper"])
        if high == "unknown":
            lines.append(f"  by PLD       {low}   lower, no upper bound this way")
        else:
            lines.append(
                f"  by PLD       {f'{low} to {high}' if low != 'unknown' else high}   "
                f"{'both sides' if low != 'unknown' else 'upper'}"
            )
    if bounds.rdp:
        order, conversion = bounds.rdp["order"], bounds.rdp["conversion"]
        lines.append(
            f"  by RDP       {upper_figure(bounds.rdp['upper'])}   upper, order {order:.5g}, {conversion}"
        )
    if bounds.gaussian:
        low, high = lower_figure(bounds.gaussian["lower"]), upper_figure(bounds.gaussian["upper"])
        what = "upper, an unsampled step an epoch" if low == "unknown" else "exact: nothing is subsampled"
        lines.append(f"  by Gaussian  {high if low == 'unknown' else f'{low} to {high}'}   {what}")
    return "\n".join([*lines, *(f"  note: {note}" for note in bounds.notes)])


def _winner(bounds: Bounds) -> str:
    parts = {"PLD": bounds.pld, "RDP": bounds.rdp, "the exact Gaussian": bounds.gaussian}
    for name, part in parts.items():
        if part and part["upper"] is not None and part["upper"] == bounds.upper:
            return f"; by {name}"
    return ""
