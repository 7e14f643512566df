"""Binary files that are no record: named, with what to hand over instead. None of them is opened."""

from __future__ import annotations

from refdp.errors import RefDPError

SAFE_LINE = "json.dump(accountant.state_dict(), file)"
_COMPRESSED = "a compressed file; unpack it and give what is inside"
_KINDS = (
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", "torch's old checkpoint format, which is a bare pickle"),
    (b"\x1f\x8b", _COMPRESSED),
    (b"BZh", _COMPRESSED),
    (b"\xfd7zXZ\x00", _COMPRESSED),
    (b"\x28\xb5\x2f\xfd", _COMPRESSED),
    (b"\x04\x22\x4d\x18", _COMPRESSED),
    (b"x\x9c", "zlib data, as joblib writes it"),
    (b"x\x01", "zlib data, as joblib writes it"),
    (b"x\xda", "zlib data, as joblib writes it"),
    (b"ZF0x", "joblib's old compressed pickle"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a numpy array"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"PAR1", "a Parquet file; export a CSV"),
    (b"\xff\xfe", "UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text; save it as UTF-8"),
)


def refuse_binary(head: bytes) -> None:
    """Refuse what is no text, by name where its first bytes say what it is."""
    for magic, what in _KINDS:
        if head.startswith(magic):
            raise RefDPError(f"is {what}: not read; {_instead(what)}")
    if head[:1] == b"\x80":
        raise RefDPError(
            "is a bare pickle, which can run code when loaded: not read, and nothing of it was run; "
            f"{_instead('')}"
        )
    if head[257:262] == b"ustar":
        raise RefDPError(f"is a tar archive: not read; {_instead('')}")
    if b"\x00" in head:
        raise RefDPError(f"is a binary file of no known kind: not read; {_instead('')}")


def _instead(what: str) -> str:
    if "CSV" in what or "UTF-8" in what or "unpack" in what:
        return "then read that"
    return f"where the run's Python can be used, write {SAFE_LINE} and give that file"
