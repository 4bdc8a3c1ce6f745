"""docs/hooks.md: every hook, field, proposal and name of the public door, and nothing that is not there."""

from __future__ import annotations

import inspect
import re

import msgspec
import pytest

import ondijon
from core import (
    declaration,
    hookspecs,
    proposals,
    requests,
    vocabulary,
)
from tests.docs.pages import (
    HOOKS,
    named,
    section,
    table,
    tables,
    wrong_fields,
)


def hooks() -> dict[str, list[str]]:
    """Every hook with its arguments."""
    return {
        name: list(inspect.signature(function).parameters)
        for name, function in vars(hookspecs).items()
        if inspect.isfunction(function) and function.__module__ == hookspecs.__name__
    }


def wrong_hooks(page: str) -> list[str]:
    """Hooks or arguments that are missing in the page, or are not there."""
    told = {
        name: (re.findall(r"\w+", arguments), text)
        for name, arguments, text in re.findall(
            r"^### `(\w+)\(([^)]*)\)`\n(.*?)(?=^#|\Z)", section(page, "## Hooks"), re.M | re.S
        )
    }
    wrong = [f"{name} is missing" for name in hooks() if name not in told]
    wrong += [f"{name} does not exist" for name in told if name not in hooks()]
    for name, arguments in hooks().items():
        if name in told:
            heading, text = told[name]
            wrong += [f"{name} takes {arguments}, not {heading}"] if heading != arguments else []
            wrong += [f"{name}: nothing on {each}" for each in arguments if f"`{each}`" not in text]
    return wrong


def test_every_hook_and_argument_is_documented() -> None:
    assert len(hooks()) == 9
    assert wrong_hooks(HOOKS) == []


def test_a_hook_that_is_not_documented_is_seen() -> None:
    assert wrong_hooks(HOOKS.replace("### `on_tick(now, name,", "### `on_tock(now, name,")) == [
        "on_tick is missing",
        "on_tock does not exist",
    ]
    assert "migrate takes ['state', 'version'], not ['state']" in wrong_hooks(
        HOOKS.replace("`migrate(state, version)`", "`migrate(state)`")
    )
    assert wrong_hooks(HOOKS.replace("- `name`: which\n", "")) == ["on_tick: nothing on name"]


STRUCTS = (
    *proposals.Proposal.__args__,
    ondijon.Imagined,
    declaration.Declaration,
    *(
        struct
        for struct in vars(declaration).values()
        if isinstance(struct, type)
        and issubclass(struct, msgspec.Struct)
        and struct is not declaration.Declaration
    ),
)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_field_of_proposals_and_declarations_is_documented(struct: type[msgspec.Struct]) -> None:
    _, rows = table(section(HOOKS, f"### `{struct.__name__}`"))
    assert wrong_fields(rows, struct) == []


def test_a_field_that_is_not_documented_is_seen() -> None:
    _, rows = table(section(HOOKS, "### `Metric`"))
    assert wrong_fields(rows[1:], declaration.Metric) == ["name is missing"]
    assert wrong_fields([*rows, ["`colour`", "None", ""]], declaration.Metric) == ["colour does not exist"]
    changed = [["`deadband`", "1.0", ""] if "deadband" in row[0] else row for row in rows]
    assert wrong_fields(changed, declaration.Metric) == ["deadband: the default is 0.0, not 1.0"]


@pytest.mark.parametrize("name", ["Now", "Batch", "TableView", "Column", "Event", "City", "Assets", "Sealed"])
def test_every_member_of_what_hooks_are_handed_is_documented(name: str) -> None:
    _, rows = table(section(HOOKS, f"### `{name}`"))
    told = {each for row in rows for each in named(row[0])}
    assert told == set(members(getattr(ondijon, name)))


def members(class_: type) -> list[str]:
    """The public attributes and methods of a class, those of its instances too."""
    fields = [*getattr(class_, "__struct_fields__", ()), *getattr(class_, "__dataclass_fields__", ())]
    own = [name for name in vars(class_) if not name.startswith("_")]
    set_in_init = re.findall(r"^\s+self\.([a-z]\w*) = ", inspect.getsource(class_), re.M)
    return sorted({*fields, *own, *set_in_init} - {"struct_config"})


def test_every_name_of_the_public_door_is_documented() -> None:
    assert [name for name in ondijon.__all__ if not re.search(rf"`{name}\b|{name}\b.*`", HOOKS)] == []


def test_the_kernels_own_events_and_alarms_are_documented() -> None:
    events, asked, alarms, network = list(tables(section(HOOKS, "## The kernel's own words")))
    assert {named(row[0])[0]: named(row[1]) for row in [*events[1], *asked[1]]} == {
        kind.name: list(kind.data.__struct_fields__) for kind in vocabulary.EVENTS
    }
    within = {named(row[0])[0]: row[2] for row in asked[1] if row[2] != "no answer"}
    assert within == {kind: f"{seconds:g} s" for kind, seconds in requests.WITHIN_S.items()}
    assert {named(row[0])[0]: int(row[1]) for row in alarms[1]} == {
        kind.code: kind.priority for kind in vocabulary.ALARMS
    }
    assert [[*named(row[0]), *named(row[1]), row[2]] for row in network[1]] == [
        [kind, alarm.code, str(alarm.priority)] for kind, alarm in vocabulary.NETWORK.items()
    ]
