"""Records for the tests: the fixtures, hand-made pickles and archives, and what every refusal must look like."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from refdp.accounting import GaussianEvent, Ledger, Sampling
from refdp.audit.importers import Imported, read_record
from refdp.errors import RefDPError

FIXTURES = Path(__file__).parent / "fixtures" / "importers"


def fixture(name: str) -> Any:
    """A JSON fixture's document."""
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def write(directory: Path, content: Any, name: str = "record") -> Path:
    """A file with these bytes, this text, or this document as JSON."""
    path = directory / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(directory: Path, content: Any, **options: Any) -> Imported:
    """What ``read_record`` makes of a file with this content."""
    return read_record(write(directory, content), **options)


def checkpoint(pickle: bytes, name: str = "archive/data.pkl", method: int = zipfile.ZIP_STORED) -> bytes:
    """A torch checkpoint whose pickle is this."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, pickle)
        archive.writestr("archive/version", b"3\n")
    return buffer.getvalue()


def refusal(path: Path, **options: Any) -> str:
    """The text with which a record is refused, after checking that it is one helpful line that names the file."""
    with pytest.raises(RefDPError) as caught:
        read_record(path, **options)
    line = str(caught.value)
    check_line(line)
    assert str(path)[:100] in line
    return line


def check_line(line: str) -> None:
    """One line, printable, of a length a terminal can bear."""
    assert "\n" not in line
    assert "\r" not in line
    assert line.isprintable()
    assert 30 < len(line) <= 700


def poisson(multiplier: float, rate: float, steps: int) -> GaussianEvent:
    """Steps of DP-SGD."""
    return GaussianEvent(multiplier, Sampling("poisson", rate=rate), steps)


def ledger(*rows: tuple[float, float, int], neighboring: str = "add-remove") -> Ledger:
    """A ledger made by hand."""
    return Ledger(neighboring, tuple(poisson(*row) for row in rows))
