"""``epsilon --certify`` and ``--check-certificate``: numbers proved in ball arithmetic, and their proofs verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refdp.accounting import AccountingError, Bounds
from refdp.accounting.ledger import parse
from refdp.cli.inputs import read_text
from refdp.cli.output import Output
from refdp.cli.query import Question
from refdp.errors import RefDPError
from refdp.figures import lower_figure, upper_figure
from refdp.files import dumps, write_atomically

SCHEMA = "refdp-certificate/1"
REJECTED = 4


def add_certificate(document: dict[str, Any], asked: Question, bounds: Bounds, path: str | None) -> str:
    """Certify the answer in place and describe what is proved; the certificate goes to ``path``.

    The answer's ``epsilon`` becomes the proved enclosure, end by end, save an end of which the proof says much less
    (a run without noise); ``certified`` says whether every end it states is proved, ``certified_parts`` which are.
    """
    from refdp.accounting.certificate import certify

    if asked.accountant != "all":
        raise RefDPError(
            f"--certify: proves every part it can, not --accountant {asked.accountant}; leave that out"
        )
    certificate = certify(asked.ledger, bounds.at, conversion=asked.options["conversion"])
    proved = certificate["epsilon"]
    stated = document["epsilon"]
    missing = [
        end for end in stated if stated[end] is not None and not _as_good(stated[end], proved[end], end)
    ]
    document["epsilon"] = {end: stated[end] if end in missing else proved[end] for end in stated}
    document["certified"] = not missing
    document["certified_parts"] = certificate["certified"]
    lines = [
        f"  certified    {lower_figure(_number(proved['lower']))} to {upper_figure(_number(proved['upper']))}"
        f"   proved in ball arithmetic: {', '.join(certificate['certified']) or 'nothing'}"
    ]
    for left in certificate["not_certified"]:
        note = f"not certified: {left['part']} ({left['reason']})"
        document["notes"].append(note)
        lines.append(f"  note: {note}")
    if path is not None:
        _write(path, certificate)
    return "\n".join(lines)


def _as_good(stated: float, proved: Any, end: str) -> bool:
    """Whether a proved end says as much as the stated one, but for the certificate's own width."""
    if proved is None:
        return False
    worse = stated - float(proved) if end == "lower" else float(proved) - stated
    return stated == float(proved) or worse <= 1e-4 * abs(float(proved)) + 1e-12


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _write(path: str, certificate: dict[str, Any]) -> None:
    if not Path(path).parent.is_dir():
        raise RefDPError(f"--certificate {path!r}: its folder does not exist; make it first")
    write_atomically(Path(path), (dumps(certificate, indent=1) + "\n").encode())


def check_certificate(path: str, output: Output) -> int:
    """Verify a certificate on its own: 0 accepted, 4 rejected; a malformed one is refused (2)."""
    from refdp.accounting.certificate import check
    from refdp.accounting.certificate.balls import precision
    from refdp.accounting.certificate.fields import validated

    try:
        document = parse(read_text(path))
        with precision(64):
            validated(document, SCHEMA)
    except (AccountingError, RecursionError) as error:
        raise RefDPError(f"{path!r}: not a certificate of refdp: {error}") from None
    verdict = check(document)
    lines = [f"certificate {'accepted' if verdict.accepted else 'REJECTED'}"]
    if verdict.accepted and verdict.epsilon is not None:
        low, high = (verdict.epsilon[end] for end in ("lower", "upper"))
        lines.append(
            f"  proved       {lower_figure(_number(low))} <= epsilon <= {upper_figure(_number(high))}"
        )
    lines += [f"  proved       {part}" for part in verdict.certified]
    lines += [f"  reason       {reason}" for reason in verdict.reasons]
    output.answer(verdict.to_json(), "\n".join(lines))
    return 0 if verdict.accepted else REJECTED
