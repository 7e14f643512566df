"""Judge a payload by its SHA-256: on record, not on record, or the file of something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refdp.data.base import Payload, Source, datasets
from refdp.errors import RefDPError


@dataclass(frozen=True)
class Verdict:
    """status: ``known``, ``unknown``, or ``damaged`` (the digest is that of another file)."""

    status: str
    detail: str
    caveat: str | None = None
    official: bool = False


def judge(source: Source, payload: Payload) -> Verdict:
    """What the digests on record say of this payload."""
    for known in source.digests.get(payload.name, ()):
        if known.sha256 == payload.sha256:
            return Verdict("known", known.origin, known.caveat, known.official)
    for name in datasets.names():
        for other, digests in datasets.get(name).digests.items():
            if any(known.sha256 == payload.sha256 for known in digests):
                return Verdict("damaged", f"holds {name}'s {other}")
    return Verdict("unknown", "SHA-256 is not on record, so the contents are unverified")


def caveats_of(source: Source, payloads: Mapping[str, Payload]) -> tuple[str, ...]:
    """Caveats for a data set read from these payloads; raises RefDPError if one is another set's file."""
    verdicts = {name: judge(source, payload) for name, payload in payloads.items()}
    for name, verdict in verdicts.items():
        if verdict.status == "damaged":
            raise RefDPError(
                f"{source.name}: {name} {verdict.detail}; put the right file there or change --data-dir"
            )
    lines = [verdict.caveat for verdict in verdicts.values() if verdict.caveat]
    unknown = [name for name, verdict in verdicts.items() if verdict.status == "unknown"]
    if unknown:
        lines.append(f"{source.name}: SHA-256 not on record, contents unverified: {', '.join(unknown)}")
    return tuple(dict.fromkeys(lines))


def check_pairs(source: Source, payloads: Mapping[str, Payload]) -> None:
    """Raise RefDPError if images and labels that belong together differ in number."""
    for images, labels in source.pairs:
        if images in payloads and labels in payloads:
            n, m = payloads[images].records, payloads[labels].records
            if n != m:
                raise RefDPError(
                    f"{source.name}: {labels}: holds {m} labels for {n} images in {images}: "
                    "must be as many; take both files from one copy"
                )
