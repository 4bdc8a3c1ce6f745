"""Whom a trade needs beside it, so that its words mean something."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points

from core import plugins as plugin_host
from core.declaration import Declaration
from core.errors import OndijonError


def companions(declaration: Declaration, known: Iterable[str] = ()) -> list[str]:
    """The installed plugins that declare what this one names, so that it means something."""
    needed, found = _needed(declaration) - _given(declaration), []
    for entry in sorted(entry_points(group=plugin_host.GROUP)):
        if entry.name == declaration.name or entry.name in known:
            continue
        try:
            other = plugin_host.hooked(entry.name, plugin_host.find(entry.name))
        except OndijonError:
            continue
        if needed & _given(other.declaration):
            found.append(entry.name)
    return found


def _needed(declaration: Declaration) -> set[str]:
    metrics = {*declaration.reads.metrics, *(layer.metric for layer in declaration.layers)}
    kinds = {metric.kind for metric in declaration.metrics} | {verb.targets for verb in declaration.verbs}
    kinds |= {kind.targets for kind in declaration.programmes}
    kinds |= {kind.parent for kind in declaration.assets if kind.parent}
    locks = {name for lock in declaration.interlocks for name in (lock.verb, lock.metric)}
    alarms = {code for alarm in declaration.alarms for code in alarm.suppressed_by}
    return {*declaration.reads.events, *metrics, *kinds, *locks, *alarms}


def _given(declaration: Declaration) -> set[str]:
    return {
        getattr(item, "code", None) or item.name for part in declaration.parts().values() for item in part
    }
