"""``refdp epsilon``: what a run, a ledger file or a file of ledgers costs."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from refdp.accounting import epsilon as epsilon_of
from refdp.cli.cases import answer_cases
from refdp.cli.certificates import add_certificate, check_certificate
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import DELTA
from refdp.cli.query import describe, is_described, query_options, question
from refdp.cli.run_flags import RunFlags
from refdp.errors import RefDPError
from refdp.report import bounds_to_json

_ALONE = ("cases", "check_certificate_file")
_NO_EFFECT = ("delta", "accountant", "conversion", "exact", "certify", "certificate_file", "plot")


@click.command()
@query_options
@click.option("--delta", type=DELTA, default=1e-5, show_default=True)
@click.option(
    "--cases",
    metavar="FILE",
    help="JSON Lines in and out: a ledger with delta or epsilon a line; - is stdin.",
)
@click.option("--certify", is_flag=True, help="Prove the answer in ball arithmetic (needs python-flint).")
@click.option(
    "--certificate",
    "certificate_file",
    metavar="FILE",
    help="Write the certificate there (implies --certify).",
)
@click.option(
    "--check-certificate",
    "check_certificate_file",
    metavar="FILE",
    help="Verify a certificate, alone: exit code 0 accepted, 4 rejected, 2 malformed.",
)
@output_options
@click.pass_context
def epsilon(ctx: click.Context, as_json: bool, quiet: bool, **options: Any) -> int:
    """Epsilon of a run or a ledger at delta, as bounds from both sides.

    \b
    refdp epsilon --noise-multiplier 1.1 --batch-size 256 --dataset-size 60000 --epochs 20
    refdp epsilon --ledger runs/mine/ledger.json --delta 1e-6
    """
    output = Output(as_json, quiet)
    for name in _ALONE:
        if options[name] is not None:
            _refuse_others(ctx, name, options)
            answer = answer_cases if name == "cases" else lambda path: check_certificate(path, output)
            return answer(options[name])
    for name in _ALONE:
        del options[name]
    delta, plot = options.pop("delta"), options.pop("plot")
    certify, certificate = options.pop("certify"), options.pop("certificate_file")
    asked = question(output, **options)
    bounds = epsilon_of(asked.ledger, delta, asked.accountant, **asked.options)
    document, text = bounds_to_json(bounds), describe(bounds)
    if asked.steps is not None:
        document["steps"] = asked.steps
    if certify or certificate is not None:
        text += "\n" + add_certificate(document, asked, bounds, certificate)
    if plot is not None:
        from refdp.cli.picture import draw_curve

        draw_curve(plot, asked, bounds)
        output.say(f"privacy curve in {plot}")
    output.answer(document, text)
    return 0


def _refuse_others(ctx: click.Context, name: str, options: dict[str, Any]) -> None:
    """``--cases`` and ``--check-certificate`` take no other question."""
    flag = "--" + name.removesuffix("_file").replace("_", "-")
    run = RunFlags(**{key: options[key] for key in RunFlags.__dataclass_fields__})
    others = [options[key] for key in ("ledger_file", *_ALONE) if key != name]
    if is_described(options["noise_multiplier"], run) or any(other is not None for other in others):
        raise RefDPError(f"{flag}: give it alone, without --ledger and flags that describe a run")
    for key in _NO_EFFECT:
        if ctx.get_parameter_source(key) == ParameterSource.COMMANDLINE:
            option = key.removesuffix("_file").replace("_", "-")
            says = "each line says its own delta or epsilon" if name == "cases" else "the file says it all"
            raise RefDPError(f"--{option}: has no effect with {flag}; {says}")
