"""docs/asyncapi.yaml from the Structs of both wires: ``python -m tests.docs.asyncapi > docs/asyncapi.yaml``."""

from __future__ import annotations

import sys
from typing import Any, get_args

import msgspec
import yaml

from core import partner_wire, wire


def _read(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A Struct with its raw fields as what they hold: a map."""
    fields = msgspec.structs.fields(struct)
    if all(field.type is not msgspec.Raw for field in fields):
        return struct
    plain: list[Any] = []
    for field in fields:
        if field.type is msgspec.Raw:
            plain.append((field.name, dict[str, Any], msgspec.field(default_factory=dict)))
        else:
            required = field.default is msgspec.NODEFAULT
            plain.append((field.name, field.type) if required else (field.name, field.type, field.default))
    config = struct.__struct_config__
    return msgspec.defstruct(
        struct.__name__,
        plain,
        tag=config.tag,
        tag_field=config.tag_field,
        forbid_unknown_fields=config.forbid_unknown_fields,
        namespace={"__doc__": struct.__doc__},
    )


#: Each channel: its port, what it is, who speaks to the post and what it answers.
CHANNELS: dict[str, tuple[str, str, tuple[Any, ...], tuple[Any, ...]]] = {
    "control": (
        "Gateways: DEALER to ROUTER. Handshake, heartbeat and farewell of the telemetry session.",
        "gateway",
        (wire.Hello, wire.Beat, wire.Bye),
        (wire.Welcome, wire.BeatBack, wire.Refused),
    ),
    "events": (
        "Gateways: DEALER to ROUTER. Orders and their answers, programmes, events and their acknowledgements.",
        "gateway",
        (wire.Hello, wire.Beat, wire.Bye, wire.Reports, wire.Programmed, wire.FieldEvent),
        (wire.Welcome, wire.BeatBack, wire.Order, wire.Programme, wire.EventAck, wire.Refused),
    ),
    "partners": (
        "Partners: DEALER to ROUTER. A snapshot, then sequenced deltas, as far as rights and credit go.",
        "partner",
        get_args(partner_wire.FromPartner),
        get_args(partner_wire.ToPartner),
    ),
}

STRUCTS = tuple(dict.fromkeys(s for _, _, heard, said in CHANNELS.values() for s in (*heard, *said)))


def document() -> dict[str, Any]:
    """The whole document."""
    _, components = msgspec.json.schema_components(
        [_read(each) for each in STRUCTS], ref_template="#/components/schemas/{name}"
    )
    channels, operations = {}, {}
    for name, (about, who, heard, said) in CHANNELS.items():
        tags = [struct.__struct_config__.tag for struct in dict.fromkeys((*heard, *said))]
        channels[name] = {
            "address": name,
            "description": about,
            "messages": {tag: {"$ref": f"#/components/messages/{tag}"} for tag in tags},
        }
        for action, verb, structs in (("receive", "hears", heard), ("send", "says", said)):
            operations[f"{name}_{verb}"] = {
                "action": action,
                "summary": f"What the post {verb} {'from' if action == 'receive' else 'to'} a {who}.",
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [
                    {"$ref": f"#/channels/{name}/messages/{s.__struct_config__.tag}"} for s in structs
                ],
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "The wire of ondijon",
            "version": f"{wire.VERSION}",
            "description": "ZeroMQ with CURVE; one msgpack map a message, in one part. protocol.md tells what it "
            "means, and the telemetry frames, which are no messages of this kind.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/msgpack",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                struct.__struct_config__.tag: {
                    "summary": (struct.__doc__ or "").split("\n")[0],
                    "payload": {"$ref": f"#/components/schemas/{struct.__name__}"},
                }
                for struct in STRUCTS
            },
            "schemas": {name: _of_msgpack(schema) for name, schema in components.items()},
        },
    }


def _of_msgpack(schema: Any) -> Any:
    """In msgpack bytes are bytes; the docstrings stand with the messages."""
    if isinstance(schema, list):
        return [_of_msgpack(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("contentEncoding") == "base64":
        return {"type": "string", "format": "binary"}
    return {
        key: _of_msgpack(value)
        for key, value in schema.items()
        if key not in ("title", "description") or not isinstance(value, str)
    }


def main() -> None:
    """Print it."""
    sys.stdout.write("# Made from the code: python -m tests.docs.asyncapi > docs/asyncapi.yaml\n")
    yaml.safe_dump(document(), sys.stdout, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    main()
