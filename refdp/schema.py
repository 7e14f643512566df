"""The JSON Schemas of every file format (``refdp/schemas``), and checking documents against them."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

from refdp.errors import RefDPError


@lru_cache(maxsize=1)
def validators() -> dict[str, Any]:
    """A validator for each schema that ships, by its file's name."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    paths = [path for path in (files("refdp") / "schemas").iterdir() if path.name.endswith(".json")]
    schemas = {path.name.removesuffix(".json"): json.loads(path.read_text("utf-8")) for path in paths}
    registry: Any = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()
    )
    return {name: Draft202012Validator(schema, registry=registry) for name, schema in schemas.items()}


def check_schema(schema: str, document: Any, where: str) -> None:
    """Raise RefDPError, naming the place, unless the document follows the schema of that name."""
    from jsonschema.exceptions import best_match

    error = best_match(validators()[schema].iter_errors(document))
    if error is not None:
        place = error.json_path.removeprefix("$").removeprefix(".")
        what = f"{place} = {error.instance!r}"[:80] if place else "the record"
        rule = {"required": "has a required key missing"}.get(error.validator, f"breaks {error.validator}")
        detail = error.message if len(error.message) < 120 else f"{error.validator_value!r}"[:80]
        raise RefDPError(f"{where}: {what} {rule}: {detail} (schema {schema})".replace("\n", " "))
