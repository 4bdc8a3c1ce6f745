"""docs/commands.md tells the states, refusals, differences, requests and records that there are."""

from __future__ import annotations

from typing import get_args, get_type_hints

from core import alarm_desk, commands, deliveries, desk, operators, privacy, programmes, vault
from core.sealed import Closed
from tests.docs.pages import ROOT, first_arguments, named, numbers, section, table, tables

PAGE = (ROOT / "docs" / "commands.md").read_text("utf-8")


def first_names(text: str) -> list[str]:
    """The first name of each row of the first table."""
    return [named(row[0])[0] for row in table(text)[1]]


def test_every_refusal_is_documented() -> None:
    files = ("gate", "desk", "person", "programmes", "alarm_desk", "statements")
    there = {code for file in files for code in first_arguments(f"core/{file}.py", "Refusal")}
    # What is refused at the door, before a step sees it.
    there |= set(first_arguments("core/statements.py", "Refused"))
    told = first_names(section(PAGE, "## Refusals"))
    assert len(told) == len(set(told))
    assert set(told) == there


def test_every_end_is_documented() -> None:
    source = (ROOT / "core/commands.py").read_text("utf-8") + (ROOT / "core/desk.py").read_text("utf-8")
    states, ends, differences = list(tables(section(PAGE, "## States")))
    for name in (named(row[0])[0] for _, rows in (states, ends) for row in rows):
        assert f'"{name}"' in source or name in ("refused", "awaiting")
    codes = {commands.EXPIRED, commands.NO_ANSWER, commands.NOT_FOLLOWED, commands.NO_READ_BACK}
    assert {named(row[0])[0] for row in differences[1]} == codes
    assert str(commands.SILENCE // 1_000_000) in ends[1][4][1]


def test_every_request_is_documented() -> None:
    shared = set(operators.Request.__struct_fields__)
    told = {named(row[0])[0]: named(row[1]) for row in table(section(PAGE, "## At the desk"))[1]}
    assert told == {
        request.__struct_config__.tag: [name for name in request.__struct_fields__ if name not in shared]
        for request in get_args(operators.Asked)
    }
    text = section(PAGE, "## At the desk")
    assert shared <= set(named(text))
    assert {desk.FRESH / 1e6, desk.AHEAD / 1e6} <= numbers(text)


def test_every_record_is_documented() -> None:
    assert set(first_names(section(PAGE, "## What the journal keeps"))) == {
        commands.COMMAND,
        commands.DIFFERENCES,
        desk.APPROVAL,
        desk.AUTHORISED,
        desk.REQUEST,
        programmes.PROGRAMME,
        deliveries.PROGRAMMED,
    }


PRIVACY = (ROOT / "docs" / "privacy.md").read_text("utf-8")


def test_what_can_be_asked_of_personal_data_is_documented() -> None:
    shared = set(operators.Personal.__struct_fields__)
    requests, kinds = list(tables(section(PRIVACY, "## What people do")))
    assert {named(row[0])[0]: named(row[1]) for row in requests[1]} == {
        request.__struct_config__.tag: [name for name in request.__struct_fields__ if name not in shared]
        for request in get_args(operators.AskedPersonal)
    }
    assert {named(row[0])[0] for row in kinds[1]} == {privacy.READING, vault.ERASED, vault.EXPIRED}
    assert [c.value for c in Closed if f"`{c.value}`" not in section(PRIVACY, "## What people do")] == []
    assert f"{vault.PERIODS} periods" in PRIVACY


def test_what_persons_do_of_alarms_is_documented() -> None:
    told = section((ROOT / "docs" / "alarms.md").read_text("utf-8"), "## What persons do")
    assert {named(row[0])[0]: named(row[2])[0] for row in table(told)[1]} == alarm_desk.RIGHTS
    acts = get_type_hints(operators.ActOnAlarms)["act"]
    assert set(get_args(acts)) == set(alarm_desk.RIGHTS)
    assert operators.ALARMS_MAX in numbers(told)
