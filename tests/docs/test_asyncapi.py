"""docs/asyncapi.yaml is what the code decodes: channels, messages, fields, types, limits; and it is AsyncAPI."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema
import pytest
import yaml

from core import partner_wire, wire
from tests.docs.asyncapi import STRUCTS, document
from tests.docs.pages import ROOT

FILE = ROOT / "docs" / "asyncapi.yaml"

#: AsyncAPI's own JSON schemas, where `make test` has npm put them.
SPECS = ROOT / ".venv" / "node" / "node_modules" / "@asyncapi" / "specs" / "schemas"


def plain(value: Any) -> Any:
    """Tuples and whole floats as YAML gives them back."""
    return yaml.safe_load(yaml.safe_dump(value))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "$ref":
                yield each
            else:
                yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_it_is_what_the_code_decodes() -> None:
    told = yaml.safe_load(FILE.read_text("utf-8"))
    assert told == plain(document()), "python -m tests.docs.asyncapi > docs/asyncapi.yaml"
    changed = copy.deepcopy(told)
    changed["components"]["schemas"]["Subscribe"]["properties"]["messages"]["maximum"] += 1
    assert changed != plain(document())


def test_every_message_of_the_wire_is_told() -> None:
    said = (wire.FromGateway, wire.ToGateway, partner_wire.FromPartner, partner_wire.ToPartner)
    assert set(STRUCTS) == {struct for union in said for struct in get_args(union)}


def test_every_reference_leads_somewhere() -> None:
    told = yaml.safe_load(FILE.read_text("utf-8"))
    found = list(references(told))
    assert len(found) > 40
    for reference in found:
        here = told
        for name in reference.removeprefix("#/").split("/"):
            assert name in here, reference
            here = here[name]


def test_fields_and_limits_are_those_of_the_structs() -> None:
    schemas = yaml.safe_load(FILE.read_text("utf-8"))["components"]["schemas"]
    for struct in STRUCTS:
        fields = set(struct.__struct_fields__) | {"type"}
        assert set(schemas[struct.__name__]["properties"]) == fields
    assert schemas["Credit"]["properties"]["messages"]["maximum"] == 10_000
    assert schemas["FieldEvent"]["properties"]["data"]["type"] == "object"


@pytest.mark.skipif(not SPECS.is_dir(), reason="npm could not install @asyncapi/specs")
def test_it_is_asyncapi() -> None:
    told = yaml.safe_load(FILE.read_text("utf-8"))
    schema = json.loads((SPECS / f"{told['asyncapi']}.json").read_text("utf-8"))
    judge = jsonschema.Draft7Validator(schema)
    assert schema["$schema"] == judge.META_SCHEMA["$id"].rstrip("#")
    wrong = jsonschema.exceptions.best_match(judge.iter_errors(told))
    assert wrong is None, f"{wrong.json_path}: {wrong.message}"
    for path, value in (
        (("operations", "control_hears", "action"), "hears"),
        (("channels", "partners", "adress"), "partners"),
        (("components", "schemas", "Hello", "properties", "boot", "minimum"), "0"),
        (("info", "version"), 1),
    ):
        broken = copy.deepcopy(told)
        *where, last = path
        here = broken
        for name in where:
            here = here[name]
        here[last] = value
        assert not judge.is_valid(broken), path
