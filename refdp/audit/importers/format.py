"""What a record format is: one class a file of ``formats``, found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from refdp.audit.importers.imported import Imported
from refdp.audit.importers.source import Source
from refdp.registry import Registry


class RecordFormat(ABC):
    """Recognises a record by its content and reads it; holds no state.

    Attributes:
        name: as ``format`` names it.
        reads: what it is, in a few words.
    """

    name: ClassVar[str]
    reads: ClassVar[str]

    @abstractmethod
    def recognises(self, source: Source) -> bool:
        """Whether the file is of this format; no two formats recognise the same file."""

    @abstractmethod
    def read(self, source: Source, neighboring: str | None) -> Imported:
        """The record in the file.

        Args:
            neighboring: the relation to account under, or None for the format's own.

        Raises:
            RefDPError, AccountingError: what is wrong in it, in one line.
        """

    def recognises_object(self, value: Any) -> bool:
        """Whether an object in Python is such a record."""
        return False

    def read_object(self, value: Any, neighboring: str | None) -> Imported:
        """The record in the object."""
        raise NotImplementedError


formats: Registry[RecordFormat] = Registry("record format", "refdp.audit.importers.formats")
