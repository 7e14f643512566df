"""``refdp data list|fetch|verify``: where data sets are, download them, check them."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from refdp.data.base import Source, datasets
from refdp.data.download import Progress
from refdp.data.fetch import fetch
from refdp.data.paths import destination, find, shown
from refdp.data.verify import FileCheck, verify

Command = Callable[..., Any]


def _common(command: Command) -> Command:
    """The options that every command here takes."""
    options = [
        click.option("--data-dir", metavar="DIR", help="Folder of the files, or with a folder NAME of them."),
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else."),
        click.option("--quiet", is_flag=True, help="No progress and no prose on stderr."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _table(rows: list[tuple[str, ...]]) -> str:
    """Left-aligned columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _check_json(check: FileCheck) -> dict[str, Any]:
    return {"file": check.file, "sha256": check.sha256, "status": check.status, "detail": check.detail}


@click.group()
def data() -> None:
    """Data sets: where they are, download with checksum, check."""


@data.command("list")
@_common
def list_command(data_dir: str | None, as_json: bool, quiet: bool) -> None:
    """Every data set: its sample shape, its classes and where its files are."""
    entries = [_entry(datasets.create(name), data_dir) for name in datasets.names()]
    if as_json:
        click.echo(json.dumps({"schema": "refdp-data-list/1", "datasets": entries}))
        return
    rows: list[tuple[str, ...]] = [("name", "shape", "classes", "where")]
    for entry in entries:
        shape = "x".join(map(str, entry["input_shape"]))
        where = (entry["folder"] and shown(entry["folder"])) or (
            "made on the spot" if entry["complete"] else "not found"
        )
        if entry["folder"] and not entry["complete"]:
            where += " (files missing)"
        rows.append((entry["name"], shape, str(entry["num_classes"]), where))
    click.echo(_table(rows))


def _entry(source: Source, data_dir: str | None) -> dict[str, Any]:
    folder, found = find(source, data_dir)
    return {
        "name": source.name,
        "input_shape": list(source.input_shape),
        "num_classes": source.num_classes,
        "folder": None if folder is None else str(folder),
        "complete": len(found) == len(source.files),
        "files": list(source.files),
    }


@data.command("fetch")
@click.argument("name")
@click.option("--base-url", metavar="URL", help="Address that file names are appended to (a mirror).")
@click.option("--allow-unknown-digest", is_flag=True, help="Accept files whose SHA-256 is not on record.")
@_common
def fetch_command(
    name: str,
    base_url: str | None,
    allow_unknown_digest: bool,
    data_dir: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Download the files of data set NAME, verified; go on with an interrupted download."""
    with _progress(quiet) as progress:
        results = fetch(name, data_dir, base_url, progress, allow_unknown_digest=allow_unknown_digest)
    unknown = [check.file for result in results for check in result.checks if check.status == "unknown"]
    if unknown and not quiet:
        click.echo(f"warning: SHA-256 not on record, unverified: {', '.join(unknown)}", err=True)
    if as_json:
        files = [
            {
                "file": result.file,
                "path": str(result.path),
                "status": result.status,
                "payloads": [_check_json(check) for check in result.checks],
            }
            for result in results
        ]
        click.echo(json.dumps({"schema": "refdp-data-fetch/1", "name": name, "files": files}))
    elif results:
        click.echo(_table([(result.file, result.status, shown(result.path)) for result in results]))
    else:
        click.echo(f"{name}: made on the spot, nothing to fetch")


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Progress | None]:
    """A bar of bytes on stderr; None when quiet or when stderr is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    tasks: dict[str, Any] = {}
    with Bars(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bars:

        def report(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = bars.add_task(file, total=total)
            bars.update(tasks[file], completed=done, total=total)

        yield report


@data.command("verify")
@click.argument("name")
@_common
def verify_command(name: str, data_dir: str | None, as_json: bool, quiet: bool) -> None:
    """Check the files of data set NAME; exit code 2 if one is missing or damaged."""
    checks = verify(name, data_dir)
    bad = [check for check in checks if check.bad]
    unknown = [check for check in checks if check.status == "unknown"]
    if as_json:
        files = [_check_json(check) for check in checks]
        answer = {"schema": "refdp-data-verify/1", "name": name, "ok": not bad, "files": files}
        click.echo(json.dumps(answer))
    elif checks:
        head: tuple[str, ...] = ("file", "status", "sha256", "detail")
        click.echo(_table([head, *((c.file, c.status, c.sha256 or "-", c.detail) for c in checks)]))
    else:
        click.echo(f"{name}: made on the spot, no files to check")
    if unknown and not quiet:
        click.echo(f"warning: {name}: {len(unknown)} of {len(checks)} not on record, unverified", err=True)
    if bad:
        if not quiet:
            folder = destination(datasets.create(name), data_dir)
            text = (
                f"{len(bad)} missing or damaged; `refdp data fetch {name}` would put them in {shown(folder)}"
            )
            click.echo(f"refdp: error: {name}: {text}", err=True)
        sys.exit(2)
