"""Reading the files that commands take, ``-`` being standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from refdp.errors import RefDPError

LIMIT = 2**28


def read_text(path: str) -> str:
    """The file's text; whatever stops that is refused in one line."""
    if path == "-" and sys.stdin is None:
        raise RefDPError("'-': standard input is closed; give a file")
    try:
        if path == "-":
            text = sys.stdin.read(LIMIT + 1)
        else:
            with Path(path).open(encoding="utf-8-sig") as file:
                text = file.read(LIMIT + 1)
    except OSError as error:
        raise RefDPError(
            f"{path!r}: cannot be read ({error.strerror}); give a readable file, or - for stdin"
        ) from None
    except UnicodeDecodeError:
        raise RefDPError(f"{path!r}: is not UTF-8 text; give a JSON file") from None
    if len(text) > LIMIT:
        raise RefDPError(f"{path!r}: is longer than {LIMIT:,} characters; split it")
    return text
