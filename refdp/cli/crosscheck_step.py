"""``refdp crosscheck step``: whole training steps beside refdp's, from a trace or of the frameworks installed."""

from __future__ import annotations

from typing import Any

import click

from refdp.cli.crosscheck_live import Asked, answer, live_options
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import COUNT, NON_NEGATIVE, POSITIVE
from refdp.crosscheck.training.check import check_trace
from refdp.crosscheck.training.model import network_of
from refdp.crosscheck.training.report import document, text
from refdp.crosscheck.training.rerun import rerun
from refdp.errors import RefDPError
from refdp.traces import read

_OF_TRACES = {"models", "tolerance"}


@click.command()
@click.option(
    "--trace", "trace_file", metavar="FILE", help="Judge this .npz of one or more steps: docs/traces.md."
)
@live_options
@click.option("--steps", type=COUNT, default=3, show_default=True, help="Of each framework.")
@click.option(
    "--noise-multiplier", type=NON_NEGATIVE, default=1.0, show_default=True, help="Of each framework."
)
@click.option("--learning-rate", type=POSITIVE, default=0.1, show_default=True, help="Of each framework.")
@click.option("--momentum", type=NON_NEGATIVE, default=0.0, show_default=True, help="Of each framework.")
@output_options
@click.pass_context
def step(
    context: click.Context,
    as_json: bool,
    quiet: bool,
    trace_file: str | None,
    steps: int,
    noise_multiplier: float,
    learning_rate: float,
    momentum: float,
    **flags: Any,
) -> int:
    """Training steps beside refdp's: gradients, norms, clipped sum, noise, update; what differs, and why.

    With --trace, steps of any framework that were recorded in a file; it need not be installed. Without, each
    framework that is installed takes the same steps, and refdp takes the whole run again.

    Exit code 4 if a stage differs.

    \b
    refdp crosscheck step --trace step.npz
    refdp crosscheck step --steps 10 --peer opacus=/opt/opacus/bin/python
    """
    output = Output(as_json, quiet)
    if trace_file is None:
        settings = {"steps": steps, "noise_multiplier": noise_multiplier, "learning_rate": learning_rate}
        return answer(output, Asked(**flags), **settings, momentum=momentum)
    given = {
        parameter.name: parameter.opts[0]
        for parameter in context.command.params
        if parameter.name
        and context.get_parameter_source(parameter.name) == click.core.ParameterSource.COMMANDLINE
    }
    odd = [
        flag for name, flag in given.items() if name not in _OF_TRACES | {"trace_file", "as_json", "quiet"}
    ]
    if odd:
        raise RefDPError(f"{odd[0]}: has no effect with --trace, which holds what was done; leave it out")
    models = flags["models"]
    if models is not None and len(models) != 1:
        raise RefDPError(f"--model {','.join(models)}: a trace is of one model; name one")
    trace = read(trace_file)
    network = network_of(models[0] if models else None, trace)
    verdict = check_trace(trace, network, flags["tolerance"])
    run = None if network is None or len(trace.steps) == 1 else rerun(trace, network)
    found = document(verdict, flags["tolerance"], run)
    output.answer(found, text(found))
    return 0 if verdict.agrees and (run is None or run.parted is None) else 4
