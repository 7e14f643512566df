"""The command line: ``refdp COMMAND``. One command a file, imported when it is called.

stdout carries the answer, stderr progress and prose. Exit codes: 0 fine; 2 bad usage or bad input, with one
line that says what, its value, the rule and the remedy; 3 a claim is refuted or a budget would be exceeded; 4 a
cross-check disagrees; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

import refdp
from refdp.cli.lazy import LazyGroup
from refdp.errors import BudgetError

_COMMANDS = {
    "epsilon": ("refdp.cli.epsilon", "Epsilon of a run or a ledger at delta, as bounds from both sides."),
    "delta": ("refdp.cli.delta", "The other way round: delta of a run or a ledger at epsilon."),
    "calibrate": (
        "refdp.cli.calibrate",
        "Smallest noise multiplier whose upper bound keeps a target epsilon; or most steps, largest rate.",
    ),
    "train": ("refdp.cli.train", "One training run at a budget that is kept."),
    "sweep": (
        "refdp.cli.sweep",
        "A grid of runs: table, summary, pictures. No arguments: 7 x 3 x 3 runs and 3 baselines.",
    ),
    "audit": ("refdp.cli.audit", "Is a claimed epsilon true? Recompute it from what was really run."),
    "crosscheck": ("refdp.cli.crosscheck", "refdp beside other tools on the same input."),
    "data": ("refdp.cli.data", "Data sets: list, fetch, verify."),
    "selftest": ("refdp.cli.selftest", "Does this machine compute what it should? No test runner needed."),
    "bench": ("refdp.cli.bench", "What training costs on this machine: bench step."),
}


@click.group(
    cls=LazyGroup,
    members=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(refdp.__version__, prog_name="refdp")
def cli() -> None:
    """Reference DP-SGD, and an accountant that bounds epsilon from both sides."""


def _fail(text: str, code: int = 2) -> int:
    click.echo("refdp: error: " + " ".join(text.split()), err=True)
    return code


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; bad usage and bad input become one line on stderr."""
    try:
        result = cli.main(args=arguments, prog_name="refdp", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        remedy = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            remedy = f" (see {error.ctx.command_path} --help)"
        return _fail(error.format_message().rstrip(".") + remedy)
    except BudgetError as error:
        return _fail(str(error), 3)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _fail("out of memory: choose a smaller model, batch or schedule")
    except OSError as error:
        place = f"{str(error.filename)!r}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}; mend that and try again")
    except Exception as error:
        if _is_input_error(error):
            return _fail(str(error))
        raise
    return result if isinstance(result, int) else 0


def _is_input_error(error: Exception) -> bool:
    from refdp.accounting.errors import AccountingError
    from refdp.errors import RefDPError

    return isinstance(error, RefDPError | AccountingError)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
