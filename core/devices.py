"""Imagined devices: they do at once what they are told, and say so. A fork of the past has them instead of a city."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import numpy as np

from core.clock import SECOND, Now
from core.declaration import Verb
from core.errors import PluginError
from core.imagined import Imagined
from core.plugins import Plugin
from core.register import Numbering
from core.table import HandOver
from core.wire import Programme, Programmed, Taken

#: How often (µs) the trades are asked what their devices would tell: more often than any metric gets stale.
ASK = 60 * SECOND


class Devices:
    """All devices of a city. What they make of a step comes with the next one.

    ``faults``: what trades could not tell.
    """

    def __init__(self, gateways: Iterable[str], generation: int) -> None:
        self._generation = generation
        self.faults: list[str] = []
        self._held: dict[str, dict[tuple[str, str], Taken]] = {}
        # They begin with none: the post tells them all that is in force.
        self._programmed = {gateway: Programmed(()) for gateway in gateways}
        self._show: list[Imagined] = []
        self._asked = -ASK

    def obey(self, verb: Verb, targets: np.ndarray, values: np.ndarray) -> None:
        """``targets`` u32[n] are told ``values`` f64[n], and show it. What is released shows what trades imagine."""
        if verb.verify_metric is not None:
            self._show.append(Imagined(verb.verify_metric, targets, values))

    def store(self, programmes: Sequence[tuple[str, Programme]]) -> None:
        """Gateways are sent programmes, and hold them."""
        for gateway, programme in programmes:
            held = self._held.setdefault(gateway, {})
            held[programme.kind, programme.zone] = Taken(
                programme.kind, programme.zone, programme.version, programme.hash
            )
            self._programmed[gateway] = Programmed(tuple(held.values()))

    def programmed(self) -> dict[str, Programmed]:
        """The programmes they hold, of those for whom that is new."""
        told, self._programmed = self._programmed, {}
        return told

    def samples(self, now: Now, plugins: Iterable[Plugin], numbering: Numbering) -> list[HandOver]:
        """What they measure by the step of ``now``."""
        shown, self._show = self._show, []
        if now.mono - self._asked >= ASK:
            self._asked = now.mono
            # Before what they show: that is younger.
            shown = [*self._imagined(now, plugins, numbering), *shown]
        return [self._sampled(now, numbering, each) for each in shown if len(each.assets)]

    def _imagined(self, now: Now, plugins: Iterable[Plugin], numbering: Numbering) -> Iterator[Imagined]:
        for plugin in plugins:
            try:
                told = plugin.imagine(msgspec.structs.replace(now, plugin=plugin.name))
                for each in told:
                    _check(each, plugin, numbering)
            except Exception as error:
                self.faults.append(
                    f"plugin {plugin.name}: imagine raised {error!r}; its devices say nothing."
                )
            else:
                yield from told

    def _sampled(self, now: Now, numbering: Numbering, told: Imagined) -> HandOver:
        n = len(told.assets)
        return HandOver(
            "imagined",
            self._generation,
            numbering.slot(told.metric, told.assets),
            np.ascontiguousarray(told.values, np.float64),
            np.full(n, now.utc, np.int64),
            np.ones(n, np.uint32),
        )


def _check(told: Imagined, plugin: Plugin, numbering: Numbering) -> None:
    mine = {metric.name: metric for metric in plugin.declaration.metrics if metric.answers}
    if told.metric not in mine:
        raise PluginError(f"{told.metric!r} is no metric of its own that answers.")
    assets, of = numbering.assets, numbering.assets.kinds.index(mine[told.metric].kind)
    if len(told.values) != len(told.assets) or np.any(assets.kind[told.assets] != of):
        raise PluginError(f"{told.metric!r} is of {mine[told.metric].kind}s, one value each.")
