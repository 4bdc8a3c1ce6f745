"""docs/programmes.md tells the states, codes and numbers that there are."""

from __future__ import annotations

import re
from typing import get_args

from core import deliveries, programmes, vocabulary, wire
from ondijon import gateway
from ondijon import programmes as held
from tests.docs.pages import ROOT, named, numbers, section, table

PAGE = (ROOT / "docs" / "programmes.md").read_text("utf-8")


def source(module: object) -> str:
    return (ROOT / f"{module.__name__.replace('.', '/')}.py").read_text("utf-8")  # type: ignore[attr-defined]


def test_every_state_is_documented() -> None:
    told = {named(row[0])[0] for row in table(section(PAGE, "## States"))[1]}
    assert told == set(get_args(programmes.State))


def test_every_code_of_a_gateway_is_documented() -> None:
    told = {named(row[0])[0] for row in table(section(PAGE, "## At the device"))[1]}
    assert told == set(re.findall(r'return "(\w+)"', source(held)))


def test_the_numbers_are_those_of_the_code() -> None:
    way = numbers(section(PAGE, "## From a person to the device"))
    assert {
        wire.CONTENT_MAX / 1024,
        deliveries.SENT_MAX,
        deliveries.AGAIN / 1e6,
        vocabulary.TAKEN_S / 60,
    } <= way
    assert gateway.RETELL_S == 60
    assert wire.PROGRAMMES_MAX in numbers(section(PAGE, "## At the device"))
