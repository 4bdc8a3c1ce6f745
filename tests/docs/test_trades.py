"""Each trade's page tells its settings, events, alarms and views."""

from __future__ import annotations

import pytest

from core import plugins as plugin_host
from tests.docs.pages import (
    ROOT,
    Row,
    named,
    numbers,
    owners,
    tables,
)


@pytest.mark.parametrize("name", sorted(owners("plugins")))
def test_a_trades_page_holds_its_declaration(name: str) -> None:
    # Together: one may read what another declares.
    loaded = {plugin.name: plugin for plugin in plugin_host.load(sorted(owners("plugins")))}
    declared = loaded[name].declaration
    told = {
        head[0]: rows for head, rows in tables((ROOT / "plugins" / name / "README.md").read_text("utf-8"))
    }

    def by_name(kind: str) -> dict[str, Row]:
        return {named(row[0])[0]: row for row in told.get(kind, [])}

    assert {asset: (named(row[1]), named(row[2])) for asset, row in by_name("asset").items()} == {
        kind.name: (list(kind.attributes.__struct_fields__), [kind.parent] if kind.parent else [])
        for kind in declared.assets
    }
    assert {metric: (row[1], numbers(row[2])) for metric, row in by_name("metric").items()} == {
        metric.name: (metric.unit, {metric.stale_after_s} if metric.stale_after_s else set())
        for metric in declared.metrics
    }
    assert {
        verb: (named(row[1]), numbers(row[2]), numbers(row[3])) for verb, row in by_name("verb").items()
    } == {verb.name: ([verb.targets], {verb.low, verb.high}, {verb.lease_max_s}) for verb in declared.verbs}
    assert {kind: (named(row[1]), named(row[2])) for kind, row in by_name("programme").items()} == {
        kind.name: ([kind.targets], list(kind.content.__struct_fields__)) for kind in declared.programmes
    }
    assert {code: int(row[1]) for code, row in by_name("alarm").items()} == {
        alarm.code: alarm.priority for alarm in declared.alarms
    }
    assert {event: named(row[1]) for event, row in by_name("event").items()} == {
        kind.name: list(kind.data.__struct_fields__) for kind in declared.events
    }
    assert set(by_name("view")) == {view.name for view in declared.views}
