"""An Opacus accountant's history or state_dict as text.

``json.dump(privacy_engine.accountant.state_dict(), file)``, the history alone, or what Python prints for either.
"""

from __future__ import annotations

from typing import Any

from refdp.audit.importers import opacus
from refdp.audit.importers.format import RecordFormat, formats
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.pytext import Call
from refdp.audit.importers.source import Source
from refdp.errors import RefDPError

ACCOUNTANTS = ("RDPAccountant", "PRVAccountant", "GaussianAccountant")


@formats.register("opacus-history")
class OpacusHistory(RecordFormat):
    """Rows of (noise multiplier, sample rate, steps)."""

    name = "opacus-history"
    reads = "an Opacus accountant's history or state_dict, as JSON"

    def recognises(self, source: Source) -> bool:
        if not source.is_document:
            return False
        document = _plain(source.document)
        return document == [] or opacus.find_history(document) is not None

    def read(self, source: Source, neighboring: str | None) -> Imported:
        return _imported(_plain(source.document), neighboring)

    def recognises_object(self, value: Any) -> bool:
        if isinstance(value, dict | list | tuple):
            return (isinstance(value, list) and not value) or opacus.find_history(value) is not None
        return _accountant(value) is not None

    def read_object(self, value: Any, neighboring: str | None) -> Imported:
        accountant = _accountant(value)
        if accountant is None:
            return _imported(value, neighboring)
        mechanism = getattr(accountant, "mechanism", None)
        name = mechanism() if callable(mechanism) else mechanism
        return opacus.imported(accountant.history, name, "opacus-history", neighboring)


def _plain(document: Any) -> Any:
    """An ``OrderedDict(...)`` as Python prints one, as a dict."""
    if not isinstance(document, Call) or document.last_name not in ("OrderedDict", "dict"):
        return document
    if document.args and isinstance(document.args[0], dict):
        return document.args[0]
    pairs = document.args[0] if document.args else ()
    if not all(isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str) for pair in pairs):
        return document
    return {**dict(pairs), **document.fields}


def _accountant(value: Any) -> Any:
    """An Opacus accountant, or a privacy engine's."""
    inner = getattr(value, "accountant", None)
    for candidate in (value, inner):
        names = [cls.__name__ for cls in type(candidate).__mro__]
        known = any(name in ACCOUNTANTS or name == "IAccountant" for name in names)
        if known and isinstance(getattr(candidate, "history", None), list | tuple):
            return candidate
    return None


def _imported(document: Any, neighboring: str | None) -> Imported:
    found = ([], None, "") if document == [] else opacus.find_history(document)
    if found is None:
        raise RefDPError(
            "holds no history: give a list of [noise_multiplier, sample_rate, steps], or an object whose 'history' "
            "is one"
        )
    history, mechanism, where = found
    return opacus.imported(
        history,
        mechanism,
        "opacus-history",
        neighboring,
        notes=(f"history read from {where}",) if where else (),
        claimed=opacus.claim_of(document),
        actual=opacus.facts(document),
    )
