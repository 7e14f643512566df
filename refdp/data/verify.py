"""Check the files of a data set: there, whole, and with a SHA-256 on record?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from refdp.data.base import Payload, Source, datasets
from refdp.data.known import check_pairs, judge
from refdp.data.paths import DataDir, find, looked_in
from refdp.errors import RefDPError


@dataclass(frozen=True)
class FileCheck:
    """One payload: status is ``known``, ``unknown``, ``missing`` or ``damaged``; detail says why.

    ``file`` is the payload's name: the file, or the member of an archive. ``sha256`` is that of the
    decompressed payload; None where it could not be read.
    """

    file: str
    sha256: str | None
    status: str
    detail: str
    path: Path | None = None

    @property
    def bad(self) -> bool:
        return self.status in ("missing", "damaged")


def check_file(source: Source, file: str, path: Path) -> tuple[list[FileCheck], list[Payload]]:
    """Read one file whole and judge its payloads; damage is a result here, never an exception."""
    try:
        payloads = source.payloads(path, file)
    except RefDPError as error:
        return [FileCheck(file, None, "damaged", str(error), path)], []
    checks = []
    for payload in payloads:
        verdict = judge(source, payload)
        checks.append(FileCheck(payload.name, payload.sha256, verdict.status, verdict.detail, path))
    return checks, payloads


def verify(name: str, data_dir: DataDir = None) -> list[FileCheck]:
    """Check every file of the data set; an empty list for a set that is made on the spot.

    Raises:
        RefDPError: unknown name or unusable ``data_dir``. Missing and damaged files are results.
    """
    source = datasets.create(name)
    folder, found = find(source, data_dir)
    checks: list[FileCheck] = []
    payloads: dict[str, Payload] = {}
    for file in source.files:
        if file not in found:
            checks.append(FileCheck(file, None, "missing", looked_in(source, folder, data_dir)))
            continue
        results, read = check_file(source, file, found[file])
        checks += results
        payloads |= {payload.name: payload for payload in read}
    try:
        check_pairs(source, payloads)
    except RefDPError as error:
        checks.append(FileCheck(f"{source.name} as a whole", None, "damaged", str(error)))
    return checks
