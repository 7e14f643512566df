"""A CSV of steps: a header, then a step (or a run of equal steps) a row."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from refdp.accounting import ADD_REMOVE, Ledger
from refdp.audit.importers import columns
from refdp.audit.importers.format import RecordFormat, formats
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.runs import poisson_events
from refdp.audit.importers.source import Source
from refdp.audit.importers.words import one_line, relation, short
from refdp.errors import RefDPError

MOST_ROWS = 10**6
_HEADER = re.compile(r"noise[ _-]?multiplier", re.IGNORECASE)


@formats.register("csv")
class StepsCsv(RecordFormat):
    """Columns noise_multiplier, and sample_rate or batch_size with dataset_size; see ``columns``."""

    name = "csv"
    reads = "a table of steps with columns noise_multiplier, sample_rate and perhaps steps"

    def recognises(self, source: Source) -> bool:
        if source.is_directory or source.is_zip or source.is_document:
            return False
        return bool(_HEADER.search(_first_line(source.text)))

    def read(self, source: Source, neighboring: str | None) -> Imported:
        lines = _lines(source.text)
        header = next(lines, None)
        if header is None:
            raise RefDPError("is blank; the first line names the columns: noise_multiplier,sample_rate,steps")
        table = columns.Table.of_header(header[1])
        for count, (number, cells) in enumerate(lines):
            if count == MOST_ROWS:
                raise RefDPError(f"has over {MOST_ROWS:,} rows; give runs of equal steps a 'steps' column")
            table.add(number, cells)
        notes = table.notes()
        if neighboring is None:
            notes.append("the record names no neighbouring relation: add-remove taken")
        notes.append("the record names no sampler: Poisson taken")
        ledger = Ledger(relation(neighboring, ADD_REMOVE), poisson_events(table.rows))
        return Imported(ledger, self.name, tuple(notes), table.claimed(), table.actual())


def _first_line(text: str) -> str:
    match = re.search(r"\S[^\r\n]{0,5000}", text)
    return match[0] if match else ""


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, with their line numbers; ``,``, ``;`` or tab, whichever the header has most of."""
    first = _first_line(text)
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise RefDPError(
            f"line {reader.line_num}: no CSV ({one_line(str(error))}); remove it, or quote it ({short(first)})"
        ) from None
