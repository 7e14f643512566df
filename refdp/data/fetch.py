"""Download a data set's files and put them in place only when their contents are on record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from refdp.data.base import Source, datasets
from refdp.data.download import Progress, check_url, download
from refdp.data.paths import DataDir, destination, found_in, path_errors, shown
from refdp.data.verify import FileCheck, check_file
from refdp.errors import RefDPError
from refdp.validate import positive

_WRITABLE = "name a writable folder with --data-dir"


@dataclass(frozen=True)
class Fetched:
    """One file: status is ``fetched`` or ``present``; checks judges each payload in it."""

    file: str
    path: Path
    status: str
    checks: tuple[FileCheck, ...]


def fetch(
    name: str,
    data_dir: DataDir = None,
    base_url: str | None = None,
    progress: Progress | None = None,
    *,
    allow_unknown_digest: bool = False,
    timeout: float = 60.0,
) -> list[Fetched]:
    """Get the files of a data set that are not there yet; an empty list if it is made on the spot.

    A download is a ``.part`` file until its payload is verified. An interrupted one is gone on with by
    the next call; one with the wrong contents is deleted. Files that are there and on record are kept.

    Args:
        base_url: address that the file names are appended to, in place of the official one.
        allow_unknown_digest: accept whole files whose SHA-256 is not on record.
        timeout: seconds that the server may stay silent.

    Raises:
        RefDPError: network, server, disk, damaged contents, or a digest that is not on record.
    """
    positive(timeout=timeout)
    source = datasets.create(name)
    if base_url is not None:
        check_url(base_url)
    folder = destination(source, data_dir)
    found = found_in(source, folder)
    results = []
    for file in source.files:
        if file in found and (kept := _keep(source, file, found[file], allow_unknown_digest)):
            results.append(kept)
            continue
        if base_url is None and not allow_unknown_digest:
            _refuse_unverifiable(source, file)
        url = source.urls[file] if base_url is None else f"{base_url.rstrip('/')}/{file}"
        results.append(_get(source, file, folder, url, progress, allow_unknown_digest, timeout))
    return results


def _keep(source: Source, file: str, path: Path, allow_unknown: bool) -> Fetched | None:
    """The file as it is, if it may stay; None if it is damaged and to be fetched again."""
    checks, _ = check_file(source, file, path)
    if any(check.bad for check in checks):
        return None
    if not allow_unknown and any(check.status == "unknown" for check in checks):
        raise RefDPError(
            f"{shown(path)}: is there, but its SHA-256 is not on record; "
            "move it away to fetch it anew, or keep it with --allow-unknown-digest"
        )
    return Fetched(file, path, "present", tuple(checks))


def _refuse_unverifiable(source: Source, file: str) -> None:
    """Refuse before downloading what could not be verified after it."""
    if not any(known.official for digests in source.digests.values() for known in digests):
        raise RefDPError(
            f"{source.name}: {file}: the SHA-256 of the official file is not on record, so the download "
            "could not be verified; fetch it unverified with --allow-unknown-digest, or copy it yourself"
        )


def _get(
    source: Source,
    file: str,
    folder: Path,
    url: str,
    progress: Progress | None,
    allow_unknown: bool,
    timeout: float,
) -> Fetched:
    final, part = folder / file, folder / f"{file}.part"
    with path_errors(folder, "made", _WRITABLE):
        folder.mkdir(parents=True, exist_ok=True)
    if final.is_dir():
        raise RefDPError(f"{shown(final)}: is a folder where a file must be; move it away")
    download(url, part, timeout=timeout, max_bytes=source.max_bytes, progress=progress)
    checks, _ = check_file(source, file, part)
    wrong = [check for check in checks if check.bad or (check.status == "unknown" and not allow_unknown)]
    with path_errors(part, "replaced", _WRITABLE):
        if not wrong:
            os.replace(part, final)
            return Fetched(file, final, "fetched", tuple(checks))
        part.unlink()
    if wrong[0].bad:
        detail = wrong[0].detail.removeprefix(f"{shown(part)}: ").partition(";")[0]
        raise RefDPError(f"{url}: the download was discarded: {file} {detail}; try again or give --base-url")
    raise RefDPError(
        f"{url}: the download was discarded: SHA-256 {wrong[0].sha256} of {wrong[0].file} is not on record; "
        "give another --base-url, or accept it with --allow-unknown-digest"
    )
