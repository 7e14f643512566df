"""Answers on stdout, prose and progress on stderr."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from refdp.files import dumps


@dataclass(frozen=True)
class Output:
    """How one command talks: ``--json`` for one document on stdout, ``--quiet`` for no prose and progress."""

    as_json: bool
    quiet: bool

    def answer(self, document: dict[str, Any], text: str) -> None:
        """The answer: the document with --json, else the text."""
        click.echo(dumps(document) if self.as_json else text)

    def say(self, text: str) -> None:
        """Prose on stderr, unless quiet."""
        if not self.quiet:
            click.echo(text, err=True)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--json`` and ``--quiet``, as every command has them."""
    command = click.option("--quiet", is_flag=True, help="No progress and no prose on stderr.")(command)
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")(
        command
    )
