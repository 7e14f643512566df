"""From a path or an object to what it records: find the format, read it, answer in one line where that fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from refdp.audit.importers.format import RecordFormat, formats
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.source import Source, open_source
from refdp.audit.importers.words import one_line, relation, short
from refdp.errors import RefDPError


def record_formats() -> dict[str, str]:
    """Every format by name, with what it reads."""
    return {name: formats.get(name).reads for name in formats.names()}


def read_record(path: str | Path, format: str | None = None, *, neighboring: str | None = None) -> Imported:
    """Read a record of a run from a file (or a run directory) of any known format.

    G1. Nothing in the file is executed, imported or looked up by name; formats that are programs (pickles) are read
        opcode by opcode into plain containers, and every name outside a short list is refused.
    G2. Time and memory are bounded: text up to 32 MiB, a checkpoint's pickle up to 32 MiB and a million opcodes, its
        tensors never loaded, nesting up to 80 levels, a million rows, 300,000 changes of multiplier or rate.
    G3. What the ledger holds is what the record says: multipliers, rates and numbers of steps are not rounded, save
        where several releases on one sample are joined (upwards by at most 1e-15, on the safe side).

    Args:
        path: the record.
        format: one of ``record_formats()``; by default the content decides.
        neighboring: the relation to account under ("add-remove", "zero-out", "replace-one"); by default what the
            record says, and where it does not say, the format's usual one, which is then a note.

    Raises:
        RefDPError: always one line: the file, what is wrong in it, its value, the rule, the remedy.
    """
    return _told(short(str(path), 200), lambda: _read(open_source(path), format, neighboring))


def from_object(value: Any, *, neighboring: str | None = None) -> Imported:
    """Read a record that is an object in Python, by the names of its classes and attributes; nothing is imported.

    Args:
        value: an Opacus accountant (or privacy engine, its ``state_dict()`` or ``history``), a dp_accounting DpEvent
            (or its named tuple), a JAX-Privacy configuration (or the dict of its fields), a Ledger or its document.
        neighboring: as for ``read_record``.

    Raises:
        RefDPError: one line: what is wrong in it, its value, the rule, the remedy.
    """

    def read() -> Imported:
        if neighboring is not None:
            relation(neighboring, neighboring)
        for name in formats.names():
            reader = formats.get(name)()
            if reader.recognises_object(value):
                return reader.read_object(value, neighboring)
        raise RefDPError(f"is no record of a known kind: give one of {_list()}")

    return _told(f"a {type(value).__name__}", read)


def _read(source: Source, format: str | None, neighboring: str | None) -> Imported:
    if neighboring is not None:
        relation(neighboring, neighboring)
    if format is not None:
        return formats.get(format)().read(source, neighboring)
    for name in formats.names():
        reader: RecordFormat = formats.get(name)()
        if reader.recognises(source):
            return reader.read(source, neighboring)
    raise RefDPError(f"is no record of a known format: give one of {_list()}")


def _list() -> str:
    return "; ".join(f"{name} ({what})" for name, what in record_formats().items())


def _told(where: str, read: Callable[[], Imported]) -> Imported:
    """Run a reader; whatever it cannot read is one line that names the record."""
    try:
        return read()
    except (ValueError, OverflowError) as error:  # RefDPError and AccountingError are ValueErrors
        reason = str(error)
    except (RecursionError, MemoryError) as error:
        reason = f"too deep or too large to be a record ({type(error).__name__})"
    raise RefDPError(one_line(f"{where}: {reason}"))
