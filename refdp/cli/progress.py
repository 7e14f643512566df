"""Progress of a training run on stderr: a live bar on a terminal, a line an epoch elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from refdp.figures import upper_figure
from refdp.training import Listener, Progress


def describe(progress: Progress) -> str:
    """Epoch, test accuracy and the epsilon spent so far (its upper bound)."""
    loss = progress.private_train_loss
    private = "" if loss is None else f"  NOT PRIVATE train loss {loss:.4f}"
    return (
        f"epoch {progress.epoch}  test accuracy {progress.test_accuracy:.4f}  "
        f"epsilon so far <= {upper_figure(progress.epsilon_upper)}{private}"
    )


@contextmanager
def training_progress(quiet: bool, start: int = 0) -> Iterator[Listener]:
    """A listener that shows a run's progress while the context is open."""
    console = Console(stderr=True)
    if quiet:
        yield lambda progress: None
    elif not console.is_terminal:

        def line(progress: Progress) -> None:
            if progress.epoch is not None:
                console.print(
                    f"step {progress.step}/{progress.steps}  {describe(progress)}",
                    highlight=False,
                    soft_wrap=True,
                )

        yield line
    else:
        columns = (
            TextColumn("step"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        with Bar(*columns, console=console) as bar:
            task = bar.add_task("", total=None, completed=start)

            def update(progress: Progress) -> None:
                bar.update(task, completed=progress.step, total=progress.steps)
                if progress.epoch is not None:
                    bar.update(task, description=describe(progress))

            yield update
