"""Progress of an audit on stderr: steps of a single run, or runs; a bar on a terminal, some ten lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class AuditProgress:
    """Told of steps (of a run in this process) and of runs that ended; shows nothing by itself."""

    def __init__(self, runs: int, ended: int) -> None:
        self.runs, self.ended = runs, ended

    def step(self, step: int, steps: int) -> None:
        """A step was taken."""
        if self.runs == 1:
            self.show("steps", step, steps)

    def run(self) -> None:
        """A run ended."""
        self.ended += 1
        if self.runs > 1:
            self.show("runs", self.ended, self.runs)

    def show(self, what: str, done: int, total: int) -> None:
        """So many of so many."""


class _Lines(AuditProgress):
    def __init__(self, runs: int, ended: int, console: Console) -> None:
        super().__init__(runs, ended)
        self.console = console

    def show(self, what: str, done: int, total: int) -> None:
        if done == total or done % max(1, total // 10) == 0:
            self.console.print(f"{done}/{total} {what}", highlight=False)


class _Bar(AuditProgress):
    def __init__(self, runs: int, ended: int, bar: Progress) -> None:
        super().__init__(runs, ended)
        self.bar = bar
        self.task = bar.add_task("steps" if runs == 1 else "runs", total=None, completed=ended)

    def show(self, what: str, done: int, total: int) -> None:
        self.bar.update(self.task, completed=done, total=total)


@contextmanager
def audit_progress(runs: int, ended: int, quiet: bool) -> Iterator[AuditProgress]:
    """A listener while the context is open."""
    console = Console(stderr=True)
    if quiet:
        yield AuditProgress(runs, ended)
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            yield _Bar(runs, ended, bar)
    else:
        yield _Lines(runs, ended, console)
