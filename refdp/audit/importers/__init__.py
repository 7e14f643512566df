"""Run records of other tools, read into a ledger without running anything that is in them.

read_record     a file (or run directory) of any known format
from_object     the same of an object in Python
record_formats  the formats by name, with what each reads
"""

from refdp.audit.importers.imported import Imported
from refdp.audit.importers.reading import from_object, read_record, record_formats

__all__ = ["Imported", "from_object", "read_record", "record_formats"]
