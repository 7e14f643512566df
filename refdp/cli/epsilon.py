"""``refdp epsilon``: what a run, a ledger file or a file of ledgers costs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from refdp.accounting import ACCOUNTANTS, AccountingError, Bounds, Ledger
from refdp.accounting import delta as delta_of
from refdp.accounting import epsilon as epsilon_of
from refdp.accounting.ledger import parse
from refdp.cli.ledger_flags import RunFlags, ledger_family, run_flags
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import DELTA, NON_NEGATIVE
from refdp.errors import RefDPError
from refdp.files import dumps
from refdp.report import bounds_to_json, lower_figure, upper_figure


def describe(bounds: Bounds) -> str:
    """A few lines of text: the enclosure, which side each number bounds, and what won."""
    at = "delta" if bounds.quantity == "epsilon" else "epsilon"
    lines = [
        f"{bounds.quantity} at {at} = {bounds.at:g}, {bounds.neighboring}",
        f"  upper bound  {upper_figure(bounds.upper)}   (what may be claimed)",
        f"  lower bound  {lower_figure(bounds.lower)}   (the true value is at least this)",
    ]
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


def _read_text(path: str) -> str:
    if path == "-" and sys.stdin is None:
        raise RefDPError("'-': standard input is closed; give a file")
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise RefDPError(
            f"{path!r}: cannot be read ({error.strerror}); give a readable file, or - for stdin"
        ) from None
    except UnicodeDecodeError:
        raise RefDPError(f"{path!r}: is not UTF-8 text; give a JSON file") from None


def _answer_case(line: str) -> dict[str, Any]:
    try:
        document = parse(line)
        if not isinstance(document, dict) or ("delta" in document) == ("epsilon" in document):
            raise AccountingError("a case is a ledger with either 'delta' or 'epsilon'")
        asked = {key: document.pop(key) for key in ("delta", "epsilon") if key in document}
        ledger = Ledger.from_json(document)
        if "delta" in asked:
            return bounds_to_json(epsilon_of(ledger, asked["delta"]))
        return bounds_to_json(delta_of(ledger, asked["epsilon"]))
    except (AccountingError, RecursionError) as error:
        return {"error": " ".join(str(error).split())}


def _cases(path: str) -> int:
    failed = False
    for line in _read_text(path).split("\n"):
        if line.strip():
            answer = _answer_case(line)
            failed = failed or "error" in answer
            click.echo(dumps(answer))
    return 2 if failed else 0


@click.command()
@click.option(
    "--noise-multiplier", type=NON_NEGATIVE, help="Noise standard deviation on the sum / clip norm."
)
@run_flags
@click.option("--delta", type=DELTA, default=1e-5, show_default=True)
@click.option("--accountant", type=click.Choice(ACCOUNTANTS), default="all", show_default=True)
@click.option(
    "--ledger", "ledger_file", metavar="FILE", help="Account for this ledger file instead of flags."
)
@click.option(
    "--cases",
    metavar="FILE",
    help="JSON Lines in and out: a ledger with delta or epsilon a line; - is stdin.",
)
@output_options
@click.pass_context
def epsilon(
    ctx: click.Context,
    noise_multiplier: float | None,
    delta: float,
    accountant: str,
    ledger_file: str | None,
    cases: str | None,
    as_json: bool,
    quiet: bool,
    **flags: Any,
) -> int:
    """Epsilon of a run or a ledger at delta, as bounds from both sides.

    \b
    refdp epsilon --noise-multiplier 1.1 --batch-size 256 --dataset-size 60000 --epochs 20
    refdp epsilon --ledger runs/mine/ledger.json --delta 1e-6
    """
    output = Output(as_json, quiet)
    run = RunFlags(**flags)
    described = noise_multiplier is not None or run != RunFlags(
        None, None, None, None, None, "constant", "poisson", None
    )
    if (ledger_file is not None) + (cases is not None) + described > 1:
        raise RefDPError("--ledger, --cases: give one of them alone, without flags that describe a run")
    if cases is not None:
        for name in ("delta", "accountant"):
            if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE:
                raise RefDPError(
                    f"--{name}: has no effect with --cases; each line says its own delta or epsilon"
                )
        return _cases(cases)
    if ledger_file is not None:
        ledger = Ledger.from_json(_read_text(ledger_file))
    else:
        if noise_multiplier is None:
            raise RefDPError("--noise-multiplier: is needed (or --ledger FILE, or --cases FILE)")
        family, steps = ledger_family(run)
        ledger = family(noise_multiplier)
        if run.epochs is not None and run.sampling == "poisson":
            output.say(f"{run.epochs} epochs = {steps} steps")
    bounds = epsilon_of(ledger, delta, accountant)
    output.answer(bounds_to_json(bounds), describe(bounds))
    return 0
