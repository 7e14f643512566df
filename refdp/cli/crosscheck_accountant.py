"""``refdp crosscheck accountant``: one ledger, or a file of them, through refdp and every accountant there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from refdp.accounting import Ledger
from refdp.accounting.counting import StepCount, step_counts
from refdp.cli.crosscheck_cases import read_cases
from refdp.cli.crosscheck_markdown import markdown
from refdp.cli.crosscheck_text import text
from refdp.cli.inputs import read_text
from refdp.cli.ledger_flags import ledger_family
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import COUNT, DELTA, NON_NEGATIVE, Name, Number, Several
from refdp.cli.peers import interpreters
from refdp.cli.query import is_described, say_steps
from refdp.cli.run_flags import RunFlags, run_flags
from refdp.crosscheck.check import Case, Limits, Refused, Report, crosscheck
from refdp.crosscheck.discovery import accountants, chosen
from refdp.crosscheck.report import document
from refdp.crosscheck.steps import Counted, cost
from refdp.errors import RefDPError
from refdp.files import write_atomically

_SECONDS = Number("from 0.1 to 86,400 seconds", lambda x: 0.1 <= x <= 86400)
_GIB = Number("from 0.25 to 4096 GiB", lambda x: 0.25 <= x <= 4096)
_ONCE_AN_EPOCH = ("shuffle", "fixed-order")


@click.command()
@click.option(
    "--noise-multiplier", type=NON_NEGATIVE, help="Noise standard deviation on the sum / clip norm."
)
@run_flags
@click.option("--ledger", "ledger_file", metavar="FILE", help="Check this ledger file instead of flags.")
@click.option(
    "--cases",
    "cases_file",
    metavar="FILE",
    help="JSON Lines: a ledger, its delta, perhaps an id; - is stdin.",
)
@click.option(
    "--delta", type=DELTA, default=None, help="[default: 1e-05; with --cases every line has its own]"
)
@click.option(
    "--peer",
    "peers",
    metavar="NAME=PYTHON",
    multiple=True,
    help="Interpreter in which a package is installed, for example opacus=/opt/opacus/bin/python. Repeatable.",
)
@click.option("--only", type=Several(Name()), help="These accountants or packages, comma-separated.")
@click.option("--timeout", type=_SECONDS, default=60, show_default=True, help="Seconds, a peer and case.")
@click.option(
    "--memory", type=_GIB, default=8, show_default=True, help="GiB of address space, a peer and case."
)
@click.option(
    "--jobs",
    type=COUNT,
    default=1,
    show_default=True,
    help="Peers at a time; 1 leaves their times undisturbed.",
)
@click.option("--markdown", "markdown_file", metavar="FILE", help="Write the tables there as Markdown.")
@output_options
def accountant(
    as_json: bool,
    quiet: bool,
    delta: float | None,
    cases_file: str | None,
    ledger_file: str | None,
    noise_multiplier: float | None,
    peers: tuple[str, ...],
    only: list[str] | None,
    timeout: float,
    memory: float,
    jobs: int,
    markdown_file: str | None,
    **flags: Any,
) -> int:
    """One ledger through refdp and every accountant that is installed; why they differ; who is unsafe.

    Exit code 4 if an accountant states what is refuted.

    \b
    refdp crosscheck accountant --noise-multiplier 1.1 --batch-size 256 --dataset-size 60000 --epochs 5
    refdp crosscheck accountant --ledger runs/mine/ledger.json --peer opacus=/opt/opacus/bin/python
    """
    output, run = Output(as_json, quiet), RunFlags(**flags)
    known = accountants()
    pythons = interpreters(peers, {each.package for each in known})
    asked = chosen(only, known)
    described = is_described(noise_multiplier, run)
    if sum((described, ledger_file is not None, cases_file is not None)) > 1:
        raise RefDPError("--cases, --ledger, flags that describe a run: give one of the three")
    counts: list[Counted] | None = None
    cases: list[Case | Refused]
    if cases_file is not None:
        if delta is not None:
            raise RefDPError("--delta: has no effect with --cases; each line says its own delta")
        cases = read_cases(read_text(cases_file))
    elif ledger_file is not None:
        ledger = Ledger.from_json(read_text(ledger_file))
        cases = [Case(Path(ledger_file).stem if ledger_file != "-" else "ledger", ledger, delta or 1e-5)]
    else:
        case, counts = _from_flags(output, noise_multiplier, run, delta or 1e-5)
        cases = [case]
    good = [case for case in cases if isinstance(case, Case)]
    limits = Limits(timeout, int(memory * 2**30))
    answers = iter(crosscheck(good, asked, peers=pythons, limits=limits, jobs=jobs, say=output.say))
    reports = [case if isinstance(case, Refused) else next(answers) for case in cases]
    found = document(reports, counts)
    if markdown_file is not None:
        try:
            write_atomically(Path(markdown_file), markdown(found).encode())
        except OSError as error:
            raise RefDPError(f"--markdown {markdown_file!r}: cannot be written ({error.strerror})") from None
        output.say(f"tables in {markdown_file}")
    if good and not any(
        row.verdict for report in reports if isinstance(report, Report) for row in report.rows
    ):
        output.say("no accountant answered: install one, or say where one is with --peer NAME=PYTHON")
    output.answer(found, text(found))
    if any(isinstance(report, Refused) for report in reports):
        for report in reports:
            if isinstance(report, Refused):
                output.say(f"{report.name}: {report.error}")
        return 2
    return 4 if any(isinstance(report, Report) and report.wrong for report in reports) else 0


def _from_flags(
    output: Output, noise_multiplier: float | None, run: RunFlags, delta: float
) -> tuple[Case, list[Counted] | None]:
    if noise_multiplier is None:
        raise RefDPError("--noise-multiplier: is needed (or --ledger FILE, or --cases FILE)")
    noise = noise_multiplier
    family = ledger_family(run)
    say_steps(output, run, family.steps)
    ledger = family.at(noise)
    sizes = run.batch_size is not None and run.dataset_size is not None
    poisson = None
    if run.sampling in _ONCE_AN_EPOCH and sizes:
        poisson = ledger_family(replace(run, sampling="poisson", neighboring=ledger.neighboring)).at(noise)
    case = Case("run", ledger, delta, poisson)
    if run.epochs is None or run.sampling != "poisson" or run.batch_size is None or run.dataset_size is None:
        return case, None

    def at(count: StepCount) -> Ledger:
        same = replace(run, epochs=None, batch_size=None, dataset_size=None, steps=count.steps)
        return ledger_family(replace(same, sample_rate=count.sample_rate)).at(noise)

    return case, cost(step_counts(run.epochs, run.batch_size, run.dataset_size), at, delta)
