"""docs/protocol.md, part "Partners": its tables and examples are those of the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import msgpack

from core import egress, minute_rows, partner_wire, publication
from tests.docs.pages import ROOT, first_arguments, named, numbers, section, tables

PAGE = section((ROOT / "docs" / "protocol.md").read_text("utf-8"), "## Partners")
TAGS = {
    message.__struct_config__.tag: message
    for message in get_args(partner_wire.FromPartner | partner_wire.ToPartner)
}
TABLES = {head[0]: rows for head, rows in tables(PAGE)}


def test_the_table_of_messages_is_that_of_the_code() -> None:
    told = {named(row[0])[0]: (row[1], named(row[2])) for row in TABLES["message"]}
    from_partner = get_args(partner_wire.FromPartner)
    assert told == {
        tag: ("partner" if message in from_partner else "edge", list(message.__struct_fields__))
        for tag, message in TAGS.items()
    }


def test_the_examples_are_messages() -> None:
    seen = set()
    for block in re.findall(r"^```partner\n(.*?)^```$", PAGE, re.M | re.S):
        for line in block.splitlines():
            told = ast.literal_eval(line)
            packed = msgpack.packb(told)
            from_partner = TAGS[told["type"]] in get_args(partner_wire.FromPartner)
            decode = partner_wire.decode_from_partner if from_partner else partner_wire.decode_to_partner
            message = decode(packed)
            assert {name: msgpack.unpackb(partner_wire.encode(message))[name] for name in told} == told
            seen.add(told["type"])
    assert seen == set(TAGS) - {"refused"}


def test_every_topic_and_limit_is_told() -> None:
    assert [named(row[0])[0] for row in TABLES["topic"]] == list(partner_wire.TOPICS)
    told = numbers(PAGE)
    for limit in (partner_wire.MESSAGES_MAX, egress.WAITING_MAX):
        assert limit in told
    for limit, unit in (
        (partner_wire.BYTES_MAX, 1 << 20),
        (egress.WAITING_BYTES_MAX, 1 << 20),
        (partner_wire.REQUEST_MAX, 1024),
        (partner_wire.MESSAGE_MAX, 1024),
    ):
        assert limit / unit in told
    text = PAGE.partition("Without credit")[2].partition("cut off")[0]
    waiting, in_order = text.split("wait as the newest row")
    assert set(named(waiting)) == set(partner_wire.TOPICS) - partner_wire.SEQUENCED
    assert set(named(in_order)) == partner_wire.SEQUENCED


def test_every_field_of_the_rows_is_told() -> None:
    source = Path(publication.__file__).read_text("utf-8")
    rows = {named(row[0])[0]: row[3] for row in TABLES["topic"]}
    for topic, method in (
        ("alarm", "_alarm"),
        ("event", "_event"),
        ("command", "_command"),
        ("asset", "_asset"),
        ("layer", "_layer"),
        ("minute", "_minute"),
    ):
        body = source.split(f"    def {method}(")[1].split("\n    def ")[0]
        fields = re.findall(r'"(\w+)": ', body)
        assert fields, topic
        assert set(fields) <= set(named(rows[topic])), topic
    assert named(rows["minute"])[2:] == list(minute_rows.COLUMNS)
    assert publication.MINUTE_BLOCK in numbers(TABLES["topic"][-1][2])


def test_every_refusal_and_cut_is_told() -> None:
    refused = {reason for row in TABLES["refused partner"] for reason in named(row[0])}
    assert refused == {
        *first_arguments("core/partners_edge.py", "WireError", "reason"),
        *first_arguments("core/wire.py", "WireError", "reason"),
    } - {"bad_data", "bad_order", "bad_programme"}
    cuts = {named(row[0])[0] for row in TABLES["cut"]}
    assert cuts == {
        *first_arguments("core/egress.py", "end"),
        *first_arguments("core/partners_edge.py", "end"),
    }
