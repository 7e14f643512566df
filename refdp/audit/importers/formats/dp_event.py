"""A dp_accounting DpEvent: its repr, its ``to_named_tuple()`` as JSON or as Python prints it, or the object itself."""

from __future__ import annotations

from typing import Any

from refdp.accounting import ADD_REMOVE, REPLACE_ONE, ZERO_OUT, Ledger
from refdp.audit.importers.dp_events import FIELDS, REFUSED, Reader
from refdp.audit.importers.format import RecordFormat, formats
from refdp.audit.importers.imported import Imported
from refdp.audit.importers.pytext import Call, Opaque
from refdp.audit.importers.source import Source
from refdp.audit.importers.words import relation, short
from refdp.errors import RefDPError

RELATIONS = {"ADD_OR_REMOVE_ONE": ADD_REMOVE, "REPLACE_ONE": REPLACE_ONE, "REPLACE_SPECIAL": ZERO_OUT}
_NAMELESS = ({"event", "count"}, {"sampling_probability", "event"}, {"events"}, {"noise_multiplier"})


@formats.register("dp-event")
class DpEvent(RecordFormat):
    """See ``dp_events`` for what is supported."""

    name = "dp-event"
    reads = "a dp_accounting DpEvent, as its repr or its named tuple in JSON"

    def recognises(self, source: Source) -> bool:
        return source.is_document and (_is_event(source.document) or _is_nameless(source.document))

    def read(self, source: Source, neighboring: str | None) -> Imported:
        if _is_nameless(source.document):
            raise RefDPError(
                "holds a DpEvent's fields without its class names: Gaussian or Laplace cannot be told; write "
                "repr(event), or json.dumps(event.to_named_tuple())"
            )
        return imported(source.document, neighboring)

    def recognises_object(self, value: Any) -> bool:
        return _is_event(value) or _is_accountant(value)

    def read_object(self, value: Any, neighboring: str | None) -> Imported:
        if not _is_accountant(value):
            return imported(value, neighboring)
        own = RELATIONS.get(getattr(getattr(value, "neighboring_relation", None), "name", ""))
        return imported(value.ledger, neighboring or own)


def imported(event: Any, neighboring: str | None, **more: Any) -> Imported:
    """The ledger of an event; the relation follows from its sampling where none is given."""
    reader = Reader(node, neighboring)
    events = reader.events(event)
    notes = list(more.pop("notes", ()))
    default = more.pop("default", ADD_REMOVE)
    if any(found.sampling.scheme == "without-replacement" for found in events):
        default = REPLACE_ONE
    if neighboring is None:
        why = (
            "the only one that is sound for batches of fixed size"
            if default == REPLACE_ONE
            else "the usual one"
        )
        notes.append(f"an event names no neighbouring relation: {default} taken, {why}")
        if default == REPLACE_ONE and reader.joint:
            raise RefDPError(
                "mixes batches of fixed size with several releases on one Poisson sample: no relation is proven "
                "for both"
            )
    if any(found.noise == 0 for found in events):
        notes.append("a release without noise is in it: epsilon is infinite")
    if reader.joint:
        notes.append("several Gaussians on one sample were joined into one: 1/s^2 added up")
    if not events:
        notes.append("the event releases nothing")
    ledger = Ledger(relation(neighboring, default), events)
    return Imported(ledger, "dp-event", tuple(notes), **more)


def node(value: Any) -> Call:
    """Whatever stands for an event as a Call of its class's name."""
    if isinstance(value, Call):
        return Call(_class_name(value.last_name), value.args, _without_names(value.fields))
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        return Call(_class_name(value["class_name"]), (), _without_names(value))
    if isinstance(value, list | tuple) and _is_named_tuple(value):
        return Call(value[1], tuple(value[2:]))
    name = type(value).__name__
    if name in FIELDS or name in REFUSED or _is_event(value):
        return Call(name, (), {field: getattr(value, field, None) for field in FIELDS.get(name, ())})
    shown = "the class itself, not an event of it" if isinstance(value, Opaque) else "no event"
    raise RefDPError(f"event = {short(value)}: is {shown}; write repr(event)")


def _class_name(name: str) -> str:
    return name.removeprefix("_").removesuffix("NamedTupleWrapper")


def _without_names(fields: dict[str, Any]) -> dict[str, Any]:
    return {str(key): value for key, value in fields.items() if key not in ("module_name", "class_name")}


def _is_named_tuple(value: Any) -> bool:
    return (
        len(value) >= 2 and all(isinstance(part, str) for part in value[:2]) and value[1].endswith("DpEvent")
    )


def _is_event(value: Any) -> bool:
    if isinstance(value, Call):
        return _class_name(value.last_name).endswith("DpEvent")
    if isinstance(value, dict):
        return str(value.get("class_name", ""))[:200].endswith("DpEvent")
    if isinstance(value, list | tuple):
        return _is_named_tuple(value)
    return any(cls.__name__ == "DpEvent" for cls in type(value).__mro__) and not isinstance(value, type)


def _is_nameless(value: Any) -> bool:
    return isinstance(value, dict) and set(value) in _NAMELESS


def _is_accountant(value: Any) -> bool:
    return any(cls.__name__ == "PrivacyAccountant" for cls in type(value).__mro__) and hasattr(
        value, "ledger"
    )
