"""``refdp audit claim``: recompute a claimed epsilon from what was accounted and from what was really run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import refdp
from refdp.accounting import NEIGHBORING, SCHEMES
from refdp.audit import Audit, audit
from refdp.audit.claim import DIVISORS, ROUNDABLE
from refdp.audit.examples import example_claim, example_names
from refdp.audit.importers import record_formats
from refdp.audit.text import as_text
from refdp.audit.verdict import REFUTED
from refdp.audit.written import Written
from refdp.cli.claim_inputs import claim_from
from refdp.cli.output import Output, output_options
from refdp.cli.parameters import COUNT, NON_NEGATIVE, RATE, Number
from refdp.cli.run_flags import run_flags
from refdp.errors import RefDPError
from refdp.files import write_atomically


class _AsWritten(Number):
    """A number that keeps its digits: 3.00 is not 3.0."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        super().convert(value, param, ctx)
        return Written(str(value))


_OPTIONS: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
    click.argument("file", required=False, metavar="[FILE]"),
    click.option(
        "--format",
        "record_format",
        type=click.Choice(["claim", *sorted(record_formats())]),
        help="What FILE is [default: its content decides].",
    ),
    click.option(
        "--claimed-epsilon",
        type=_AsWritten("finite and >= 0", lambda x: 0 <= x < float("inf")),
        help="The stated epsilon, with the digits it was stated with.",
    ),
    click.option(
        "--delta",
        type=_AsWritten("> 0 and < 1, for example 1e-5", lambda x: 0 < x < 1),
        help="The stated delta [default: the record's, else 1e-5].",
    ),
    click.option(
        "--noise-multiplier", type=NON_NEGATIVE, help="Noise standard deviation on the sum / clip norm."
    ),
    run_flags,
    click.option(
        "--actual-sampling",
        type=click.Choice(SCHEMES),
        help="How batches were really drawn, if not as accounted.",
    ),
    click.option("--actual-epochs", type=COUNT, help="Passes really made [default: --epochs]."),
    click.option("--actual-rate", type=RATE, help="The rate of --actual-sampling poisson."),
    click.option("--actual-steps", type=COUNT, help="Steps really run, if not as accounted."),
    click.option(
        "--actual-neighboring",
        type=click.Choice(NEIGHBORING),
        help="The relation that was meant, if another.",
    ),
    click.option("--divisor", type=click.Choice(DIVISORS), help="What the noisy sum was divided by."),
    click.option(
        "--drop-last/--keep-last", default=None, help="Whether the loader drops a shorter last batch."
    ),
    click.option(
        "--count-noise",
        type=NON_NEGATIVE,
        help="Standard deviation of the noise on the count that adapts the clip norm; 0: none.",
    ),
    click.option(
        "--rounded", help=f"Inputs that were rounded: all, none, or some of {', '.join(ROUNDABLE)}, by comma."
    ),
    click.option(
        "--example", type=click.Choice(example_names()), help="A published claim that ships with refdp."
    ),
    click.option("--examples", is_flag=True, help="List the published claims, with their expected verdicts."),
    click.option("--html", "html_file", metavar="FILE", help="Write the audit as one HTML page."),
    click.option("--plot", metavar="FILE", help="Draw claimed against true (.png, .pdf, .svg)."),
]


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_options
@output_options
@click.pass_context
def claim(
    ctx: click.Context,
    as_json: bool,
    quiet: bool,
    examples: bool,
    example: str | None,
    html_file: str | None,
    plot: str | None,
    **options: Any,
) -> int:
    """Is a claimed epsilon true? FILE is a claim, or a run's record (Opacus history or checkpoint, DpEvent,
    JAX-Privacy configuration, CSV of steps, ledger); or flags say what was accounted.

    \b
    refdp audit claim paper.json
    refdp audit claim history.json --claimed-epsilon 3 --actual-sampling shuffle --actual-epochs 5
    refdp audit claim --claimed-epsilon 3.00 --noise-multiplier 0.2385 --sample-rate 0.004267 --steps 1170

    Exit code 3: refuted; 0: holds or undecided; 2: bad input.
    """
    output = Output(as_json, quiet)
    if examples:
        output.answer(*_listed())
        return 0
    for path, kinds in ((html_file, (".html", ".htm")), (plot, (".png", ".pdf", ".svg"))):
        _check_target(path, kinds)
    if example is not None:
        others = [name for name in options if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE]
        if others:
            raise RefDPError(
                f"--example {example}: says it all; give it without {others[0].replace('_', '-')}"
            )
        asked = example_claim(example)
    else:
        asked = claim_from(output, **options)
    found = audit(asked)
    _write(found, html_file, plot, output)
    output.answer(found.to_json(), as_text(found))
    return 3 if found.verdict == REFUTED else 0


def _listed() -> tuple[dict[str, Any], str]:
    rows = []
    for name in example_names():
        shipped = example_claim(name)
        rows.append(
            {
                "name": name,
                "title": shipped.title,
                "claimed": float(shipped.epsilon),
                "expected": shipped.expected,
            }
        )
    text = "\n".join(f"{r['name']:<28} {r['expected']:<10} {r['title']}" for r in rows)
    return {"examples": rows}, text


def _check_target(path: str | None, kinds: tuple[str, ...]) -> None:
    if path is None:
        return
    option = "--html" if ".html" in kinds else "--plot"
    if Path(path).suffix.lower() not in kinds:
        raise RefDPError(f"{option} {path!r}: must end in {', '.join(kinds)}")
    if Path(path).is_dir():
        raise RefDPError(f"{option} {path!r}: is a folder; give a file's name")
    if not Path(path).parent.is_dir():
        raise RefDPError(f"{option} {path!r}: its folder does not exist; make it first")


def _write(found: Audit, html_file: str | None, plot: str | None, output: Output) -> None:
    if html_file is not None:
        from refdp.audit.page import as_html

        write_atomically(Path(html_file), as_html(found, refdp.__version__).encode("utf-8"))
        output.say(f"page in {html_file}")
    if plot is not None:
        from refdp.audit.picture import draw

        write_atomically(Path(plot), draw([found], Path(plot).suffix[1:].lower()))
        output.say(f"picture in {plot}")
