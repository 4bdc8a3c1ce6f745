"""docs/operations.md: every setting, counter, limit, exit status and status field; its examples work."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec
from click.testing import CliRunner

from adapters.cli import change as change_command
from adapters.cli.example import EXAMPLE
from adapters.cli.main import main
from adapters.console.app import VIEWERS_MAX
from adapters.history import desk as history_desk
from adapters.history import keeper, write_ahead
from core import (
    alarm_rows,
    alarms,
    commands,
    config,
    deliveries,
    desk,
    egress,
    errors,
    feed,
    flood,
    intake,
    inventory,
    job_clocks,
    journal,
    link,
    minutes,
    operators,
    partner_wire,
    partners_edge,
    recorder,
    register,
    settlement,
    status,
    wire,
)
from core import plugins as plugin_host
from core._fast.ingest import COUNTERS_NAMES
from core.declaration import Text
from core.event import CHAIN_MAX
from ondijon.testing import City, Post
from tests.docs.pages import (
    OPERATIONS,
    PAGES,
    ROOT,
    Row,
    default,
    first_arguments,
    named,
    numbers,
    owners,
    section,
    table,
    tables,
    wrong_fields,
)

#: ``[section]`` or ``[[section]]`` as the head of a table of settings.
SETTINGS = re.compile(r"^`\[\[?([\w.]+)\]\]?`$")


def settings_struct(path: str) -> type[msgspec.Struct]:
    """The Struct that decodes a table of the configuration."""
    first, *rest = path.split(".")
    if first in ("plugins", "adapters"):
        owner, *rest = rest
        struct = owners(first)[owner]
    else:
        struct = field_struct(config.Config, first)
    for name in rest:
        struct = field_struct(struct, name)
    return struct


def field_struct(struct: type[msgspec.Struct], name: str) -> type[msgspec.Struct]:
    """The Struct of a field, also where the field holds many."""
    (found,) = (field.type for field in msgspec.structs.fields(struct) if field.encode_name == name)
    return one_of(found)  # type: ignore[no-any-return]


def one_of(type_: Any) -> Any:
    """The type of a field, or of each value where it holds many."""
    if get_origin(type_) is Annotated:
        return one_of(get_args(type_)[0])
    return get_args(type_)[0] if get_origin(type_) is tuple else type_


def nested(path: str, struct: type[msgspec.Struct]) -> Iterator[str]:
    """The path of a table and of every table within it."""
    yield path
    for field in msgspec.structs.fields(struct):
        inner = one_of(field.type)
        # A text in two languages is one value.
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct) and inner is not Text:
            yield from nested(f"{path}.{field.encode_name}", inner)


def settings_tables(pages: list[Path]) -> dict[str, tuple[Row, list[Row]]]:
    """Every table of settings in the pages, by its section."""
    found = {}
    for page in pages:
        for head, rows in tables(page.read_text("utf-8")):
            if section_name := SETTINGS.match(head[0]):
                assert section_name[1] not in found, f"{section_name[1]} is documented twice"
                found[section_name[1]] = (head, rows)
    return found


def wrong_settings(found: Mapping[str, tuple[Row, list[Row]]]) -> list[str]:
    """Settings that are missing in the tables, are not there, or have other defaults or limits."""
    wanted = {
        "post",
        "time",
        "edges",
        "journal",
        "gate",
        "security",
        "privacy",
        "record",
        "workers",
        "health",
    }
    for group in ("plugins", "adapters"):
        for name, struct in owners(group).items():
            wanted |= set(nested(f"{group}.{name}", struct))
    # The simulator tells of its calendars and floors in one line each: they are those of the lighting.
    wanted -= {path for path in wanted if re.match(r"adapters\.simulator\.(calendars|floors)", path)}
    wrong = [f"[{path}] is missing" for path in sorted(wanted - set(found))]
    wrong += [f"[{path}] does not exist" for path in sorted(set(found) - wanted)]
    for path in sorted(wanted & set(found)):
        head, rows = found[path]
        limits = head.index("limits") if "limits" in head else None
        wrong += [f"[{path}] {each}" for each in wrong_fields(rows, settings_struct(path), limits)]
    return wrong


def test_every_setting_is_documented() -> None:
    found = settings_tables(PAGES)
    assert {"post", "plugins.lighting.presence", "adapters.simulator.movers"} <= set(found)
    assert wrong_settings(found) == []


def test_a_setting_that_is_not_documented_is_seen() -> None:
    found = settings_tables(PAGES)
    head, rows = found["edges"]
    assert wrong_settings({**found, "edges": (head, rows[1:])}) == ["[edges] address is missing"]
    assert wrong_settings({**found, "radio": (head, rows)}) == ["[radio] does not exist"]
    changed = [[row[0], "400", *row[2:]] if "`sessions`" in row[0] else row for row in rows]
    assert wrong_settings({**found, "edges": (head, changed)}) == [
        "[edges] sessions: the default is 4096, not 400"
    ]
    looser = [[*row[:2], "1 to 9", row[3]] if "`sessions`" in row[0] else row for row in rows]
    assert wrong_settings({**found, "edges": (head, looser)}) == [
        "[edges] sessions: limit 65536.0 is not in '1 to 9'"
    ]
    del found["health"]
    assert wrong_settings(found) == ["[health] is missing"]


# -- the example


def test_the_example_is_a_configuration_that_a_post_can_start_from(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["example"])
    assert printed.exit_code == 0
    (tmp_path / "ondijon.toml").write_text(printed.output)
    City.small().save(tmp_path / "city")
    checked = CliRunner().invoke(main, ["check", str(tmp_path / "ondijon.toml")])
    assert checked.exit_code == 0, checked.output
    assert "right. Plugins: lighting. Adapters: console." in checked.output


def test_the_examples_commented_keys_are_the_defaults() -> None:
    text = EXAMPLE.read_text("utf-8")
    set_here = tomllib.loads(text)
    # What stands behind a "# " and is a key or a table.
    all_keys = tomllib.loads(re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.M))
    for section_name in (
        "post",
        "time",
        "edges",
        "gate",
        "security",
        "privacy",
        "record",
        "health",
        "plugins.lighting",
        "adapters.console",
    ):
        struct = settings_struct(section_name)
        defaults = {field.encode_name: default(field) for field in msgspec.structs.fields(struct)}
        shown, given = inside(all_keys, section_name), inside(set_here, section_name)
        if "." not in section_name:
            assert set(shown) == set(defaults), f"[{section_name}] of the example is not complete"
        for key in set(shown) - set(given) - {"plugin_folder", "start", "login_key"}:
            assert decoded(shown[key], defaults[key]) == defaults[key], f"[{section_name}] {key}"
    assert len(re.findall(r"by default 0$", text, re.M)) == 5
    assert len(re.findall(r"\(no default\)", text)) == 3


def inside(table: Any, path: str) -> Any:
    """A table within a table; empty where there is none."""
    for name in path.split("."):
        table = table.get(name, {})
    return table


def decoded(value: Any, like: Any) -> Any:
    """A value of TOML as the type of the default it is compared with."""
    return tuple(msgspec.convert(each, type(like[0])) for each in value) if isinstance(like, tuple) else value


# -- counters


def counters() -> dict[str, set[str]]:
    """Every counter that a status can hold, by who counts."""
    edges = ("core/edge.py", "core/telemetry_edge.py", "core/events_edge.py")
    counted = {file: set(first_arguments(file, "count")) for file in edges}
    reasons = {reason for file in edges for reason in first_arguments(file, "WireError", "reason")}
    decoding = inspect.getsource(wire.decoded)
    reasons |= set(re.findall(r'reason="(\w+)"', decoding))
    figures = re.findall(r'counts\["(\w+)"\]', (ROOT / "core/telemetry_edge.py").read_text("utf-8"))
    telemetry = {*COUNTERS_NAMES, *counted["core/telemetry_edge.py"], *figures, "gateways"}
    partners = ("core/partners_edge.py", "core/egress.py")
    following = {*first_arguments(partners[0], "count"), *first_arguments(partners[1], "_count")}
    following |= {f"refused_{reason}" for reason in first_arguments(partners[0], "WireError", "reason")}
    kernel = Post(City.small(), []).kernel.counts
    field = first_arguments("core/field.py", "WireError", "reason")
    intake = [
        named
        for file in (
            "core/intake.py",
            "core/loans.py",
            "core/acknowledged.py",
            "core/feed.py",
            "core/recorder.py",
            "core/service.py",
        )
        for named in re.findall(
            r'counts\["(\w+)"\]|"(\w+)": (?:0|self\.views\.refused)', (ROOT / file).read_text("utf-8")
        )
    ]
    return {
        "status": set(status.Status.__struct_fields__),
        "telemetry edge": telemetry,
        "events edge": {*counted["core/events_edge.py"], "gateways"},
        "partners' edge": {*following, "partners", "rows", "waiting"}
        - counted["core/edge.py"]
        - {f"refused_{reason}" for reason in reasons},
        "history": {*keeper.COUNTERS, *keeper.FOLLOWING},
        "both edges": counted["core/edge.py"]
        | {f"refused_{reason}" for reason in reasons}
        | {f"handshake_{why}" for why in get_args(link.Why)},
        "kernel": {*kernel, *field} | {a or b for a, b in intake},
    }


def told_counters(page: str) -> dict[str, set[str]]:
    """The counters of the page, by the head of their table."""
    return {
        head[0]: {name for row in rows for name in named(row[0])}
        for head, rows in tables(section(page, "## What to watch"))
    }


def test_every_counter_is_documented() -> None:
    assert told_counters(OPERATIONS) == counters()


def test_a_counter_that_is_not_documented_is_seen() -> None:
    told = told_counters(OPERATIONS.replace("`undelivered`", "`unsent`"))
    assert told["events edge"] ^ counters()["events edge"] == {"undelivered", "unsent"}
    assert "refused_duplicate_handshake" in counters()["both edges"]
    assert "edge_away" in counters()["kernel"]


def test_the_exit_statuses_are_documented() -> None:
    _, rows = list(tables(section(OPERATIONS, "## Commands")))[1]
    statuses = {
        error.exit_status
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.OndijonError)
    }
    assert {int(row[0]) for row in rows} == {0, 2} | statuses


LIMITS = {
    "a control message, an event": wire.MESSAGE_MAX // 1024,
    "samples in a frame": wire.COLUMNS_MAX,
    "proposals of a plugin in a step": plugin_host.PROPOSALS_MAX,
    "a row of a view": settlement.ROW_MAX // 1024,
    "rows of all views": status.ROWS_MAX,
    "links of a chain of events": CHAIN_MAX,
    "targets of a command": operators.TARGETS_MAX,
    "a programme's content": wire.CONTENT_MAX // 1024,
    "programmes that a gateway holds": wire.PROGRAMMES_MAX,
    "programmes sent in a step": deliveries.SENT_MAX,
    "orders a gateway owes an answer to": commands.OWED_MAX,
    "names of the assets behind a gateway": wire.MESSAGE_MAX // 1024,
    "slots of added assets in a run": register.HEADROOM,
    "changes of the inventory in a list": operators.CHANGES_MAX,
    "targets that one person asks in a minute": config.GateConfig().person_targets,
    "commands that wait for a second person": desk.WAITING_MAX,
    "requests of operators' tools that wait for a step": intake.REQUESTS_MAX,
    "records that wait for the disk": journal.WAITING_MAX,
    "blocks of the record that wait for the disk": recorder.WAITING_MAX,
    "clocks of jobs that have not ended": job_clocks.CLOCKS_MAX,
    "alarms, with those of the last day": alarms.ALARMS_MAX,
    "alarms in one event": alarms.TOLD_MAX,
    "kinds of alarm": alarm_rows.NO_CODE - 1,
    "announcements in ten minutes": flood.FLOOD_ABOVE,
    "a shelf": alarms.SHELF_MAX_S,
    "browsers at the page": VIEWERS_MAX,
    "a partner's message": partner_wire.REQUEST_MAX // 1024,
    "connections that follow under one key": partners_edge.KEY_MAX,
    "rows that partners may follow": egress.ROWS_MAX,
    "changes that wait for a partner's credit": egress.WAITING_MAX,
    "bytes on their way to the partners' edge": feed.WINDOW >> 20,
    "open commands that partners are told of": feed.COMMANDS_MAX,
    "minutes that wait to be told": minutes.WAITING_MAX,
    "assets in one part of a minute": minutes.PART,
    "questions to the history that wait": history_desk.WAITING_MAX,
    "a record of the history's write-ahead file": write_ahead.RECORD_MAX >> 20,
}


def test_the_limits_are_those_of_the_code() -> None:
    _, rows = table(section(OPERATIONS, "## Limits"))
    assert {row[0]: numbers(row[1]) for row in rows} == {what: {float(n)} for what, n in LIMITS.items()}
    assert settlement.EVENT_MAX == wire.MESSAGE_MAX


def test_the_example_of_changes_is_taken(tmp_path: Path) -> None:
    text = section(OPERATIONS, "## What stands in the city changes")
    file = tmp_path / "today.json"
    file.write_text(re.search(r"```json\n(.*?)```", text, re.S)[1])
    small = City.small()
    changes = change_command.placed(change_command.read(file), small, 1, "today.json")
    renamed = {"lamp-1": "L0001", "lamp-2": "L0002", "lamp-3": "L0003", "cabinet-1": "gw-A0001"}
    ours = [
        msgspec.structs.replace(c, id=renamed.get(c.id, c.id), parent=c.parent and renamed[c.parent])
        for c in changes
    ]
    assert inventory.apply(small, ours, {}).assets.revision == len(ours) == 3
