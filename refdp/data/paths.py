"""Where data files are looked for and where downloads go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from refdp.data.base import Source
from refdp.errors import RefDPError

DataDir = str | os.PathLike[str] | None


def shown(path: object) -> str:
    """The path on one line: escaped if it holds control characters."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def why(error: BaseException) -> str:
    """The cause of a failure in a few words, on one line."""
    cause = getattr(error, "reason", None) or error
    text = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return " ".join(str(text).split())


@contextmanager
def path_errors(path: object, verb: str, remedy: str) -> Iterator[None]:
    """Turn file system errors into one line: PATH: cannot be VERB (cause); REMEDY."""
    try:
        yield
    except OSError as error:
        raise RefDPError(f"{shown(path)}: cannot be {verb} ({why(error)}); {remedy}") from error


def is_there(path: Path) -> bool:
    """Whether something is at the path; unlike Path.exists, a forbidden folder is not an absence."""
    with path_errors(path, "looked at", "check its permissions or give another --data-dir"):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def cache_root() -> Path:
    """``$XDG_CACHE_HOME/refdp``, else ``~/.cache/refdp``. As the XDG rules say, a relative one is ignored."""
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return Path(xdg if os.path.isabs(xdg) else os.path.expanduser("~/.cache")) / "refdp"


def _root(data_dir: DataDir) -> Path | None:
    """The folder the user named, by argument or by ``$REFDP_DATA``; None if neither."""
    given: str | os.PathLike[str] | None = data_dir
    label = "data_dir"
    if given is None:
        given, label = os.environ.get("REFDP_DATA") or None, "REFDP_DATA"
        if given is None:
            return None
    root = Path(os.path.expanduser(given))
    if not os.fspath(given) or "\0" in str(root):
        raise RefDPError(f"{label} = {os.fspath(given)!r}: must name a folder")
    if is_there(root) and not root.is_dir():
        raise RefDPError(f"{label} = {shown(root)}: must be a folder, not a file; name the folder it is in")
    return root


def folders(source: Source, data_dir: DataDir = None) -> list[Path]:
    """Folders in which the files may be, the most specific first."""
    root = _root(data_dir)
    if root is None:
        return [cache_root() / source.name]
    return [*(root / name for name in (source.name, *source.aliases)), root]


def found_in(source: Source, folder: Path) -> dict[str, Path]:
    """File -> its path, for those files of the source that are in the folder."""
    places = {file: [folder / v for v in source.variants(file)] for file in source.files}
    hits = {file: next((p for p in paths if is_there(p)), None) for file, paths in places.items()}
    return {file: path for file, path in hits.items() if path is not None}


def find(source: Source, data_dir: DataDir = None) -> tuple[Path | None, dict[str, Path]]:
    """The first folder that holds any file of the source, and the files in it; (None, {}) if none does."""
    for folder in folders(source, data_dir):
        if found := found_in(source, folder):
            return folder, found
    return None, {}


def looked_in(source: Source, folder: Path | None, data_dir: DataDir = None) -> str:
    """The folder that holds some of the files, or all those tried if none does, in words."""
    tried = [folder] if folder is not None else folders(source, data_dir)
    return f"looked in {', '.join(map(shown, tried))}"


def require(source: Source, data_dir: DataDir = None) -> dict[str, Path]:
    """File -> path for every file of the source; raises RefDPError naming the first that is missing."""
    folder, found = find(source, data_dir)
    for file in source.files:
        if file not in found:
            raise RefDPError(
                f"{source.name}: {file} is missing ({looked_in(source, folder, data_dir)}); "
                f"get it with `refdp data fetch {source.name}` or name its folder with --data-dir"
            )
    return found


def destination(source: Source, data_dir: DataDir = None) -> Path:
    """Where downloads go: a folder that already holds some of the files, else DIR/NAME or a DIR so named."""
    folder, _ = find(source, data_dir)
    root = _root(data_dir)
    if folder is not None or root is None:
        return folder or cache_root() / source.name
    return root if root.name in (source.name, *source.aliases) else root / source.name
