"""Data sets by name: ``load("mnist", data_dir)`` reads official files and never downloads."""

from __future__ import annotations

import os

from refdp.data.base import Dataset, Known, Payload, Source, Split, datasets

__all__ = ["Dataset", "Known", "Payload", "Source", "Split", "datasets", "load"]


def load(name: str, data_dir: str | os.PathLike[str] | None = None, seed: int = 0) -> Dataset:
    """The data set of that name (``NAME`` or ``NAME:param=value,...``).

    Args:
        name: one of ``datasets.names()``, with parameters where the set has any.
        data_dir: folder with the files, or with a folder NAME that has them; None means ``$REFDP_DATA``
            and, without that, the user's cache.
        seed: of sets made on the spot; sets read from files do not depend on it.

    Raises:
        RefDPError: unknown name, or files missing, unreadable, damaged or of another data set.
    """
    return datasets.create(name).load(data_dir, seed)
