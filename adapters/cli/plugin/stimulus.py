"""What a trial gives a plugin to see: seeded samples, events and things, of all kinds that it could meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import inspect

from core import sealed, vocabulary
from core.declaration import AssetKind, Declaration, Merge, Metric
from ondijon.testing import City, Post

#: Things of a kind that the city has none of.
THINGS = 6

#: How often a value is drawn anew where the plugin's own Struct refuses it.
_DRAWS = 20

#: So long (s) that whatever can get stale does.
_SILENCE_S = 4 * 3600.0

#: Things that report a metric in an ordinary step, about, however large the city is.
_ORDINARY = 200

_WORDS = ("", "est", "Rue de la Liberté", "🌧", "x" * 200)


class UnmadeError(Exception):
    """No value of a type can be made up."""


class Values:
    """Makes values of any declared type, as plain data."""

    def __init__(self, rng: np.random.Generator, names: Sequence[str] = ()) -> None:
        self._rng = rng
        self._names = names

    def struct(self, struct: type[msgspec.Struct]) -> dict[str, Any]:
        """The fields of an instance that the Struct itself accepts. Raises UnmadeError."""
        why, clear = "", sealed.clear_types(struct)
        for draw in range(_DRAWS):
            try:
                made = {
                    field.encode_name: self._field(field, clear.get(field.encode_name, field.type))
                    for field in msgspec.structs.fields(struct)
                    # At last as little as can be: somewhere inside may be what nobody can make up.
                    if field.required or (draw < _DRAWS // 2 and self._rng.random() < 0.5)
                }
                # What is personal comes in clear, and is sealed by the post.
                if not clear:
                    msgspec.convert(made, struct)
            except (UnmadeError, ValueError, TypeError) as error:
                why = str(error)
            else:
                return made
        raise UnmadeError(f"{struct.__name__}: {why}")

    def _field(self, field: msgspec.structs.FieldInfo, type: Any) -> Any:
        # What refers to an asset should be one.
        if field.encode_name == "asset" and type is str and self._names:
            return str(self._rng.choice(self._names))
        return self._value(inspect.type_info(type))

    def _value(self, info: inspect.Type) -> Any:
        make = _MAKERS.get(type(info))
        if make is None:
            raise UnmadeError(f"a value of {type(info).__name__}")
        return make(self, info)

    def _number(self, info: Any, least: float) -> float:
        low = next(
            (b for b in (info.ge, None if info.gt is None else info.gt + least) if b is not None), None
        )
        high = next(
            (b for b in (info.le, None if info.lt is None else info.lt - least) if b is not None), None
        )
        low = (0 if high is None else high - 100) if low is None else low
        high = low + 100 if high is None else high
        return float(self._rng.choice([low, high, self._rng.uniform(low, high)]))

    def _int(self, info: inspect.IntType) -> int:
        return round(self._number(info, 1))

    def _float(self, info: inspect.FloatType) -> float:
        return self._number(info, 1e-6)

    def _str(self, info: inspect.StrType) -> str:
        word = str(self._rng.choice(_WORDS)).ljust(info.min_length or 0, "x")
        return word[: info.max_length]

    def _many(self, info: Any) -> list[Any]:
        low = info.min_length or 0
        n = int(
            self._rng.integers(
                low, min(low + 4, 1 + (low + 4 if info.max_length is None else info.max_length))
            )
        )
        return [self._value(info.item_type) for _ in range(n)]

    def _dict(self, info: inspect.DictType) -> dict[Any, Any]:
        return {
            self._value(info.key_type): self._value(info.value_type)
            for _ in range(int(self._rng.integers(3)))
        }

    def _one_of(self, values: Sequence[Any]) -> Any:
        return values[int(self._rng.integers(len(values)))]


_MAKERS: dict[type, Callable[[Values, Any], Any]] = {
    inspect.AnyType: lambda values, info: 1,
    inspect.NoneType: lambda values, info: None,
    inspect.BoolType: lambda values, info: bool(values._rng.random() < 0.5),
    inspect.IntType: Values._int,
    inspect.FloatType: Values._float,
    inspect.StrType: Values._str,
    inspect.BytesType: lambda values, info: values._rng.bytes(info.min_length or 4),
    inspect.LiteralType: lambda values, info: values._one_of(info.values),
    inspect.EnumType: lambda values, info: values._one_of([each.value for each in info.cls]),
    inspect.UnionType: lambda values, info: values._value(values._one_of(info.types)),
    inspect.ListType: Values._many,
    inspect.VarTupleType: Values._many,
    inspect.SetType: Values._many,
    inspect.FrozenSetType: Values._many,
    inspect.TupleType: lambda values, info: [values._value(each) for each in info.item_types],
    inspect.DictType: Values._dict,
    inspect.StructType: lambda values, info: values.struct(info.cls),
}


def peopled(city: City, declarations: Sequence[Declaration], seed: int) -> tuple[City, list[str]]:
    """The city with some things of each declared kind that it has none of; and why some could not be made."""
    values, untold = Values(_rng(seed)), []
    kinds: list[AssetKind] = [kind for declaration in declarations for kind in declaration.assets]
    for kind in kinds:
        if kind.name in city.assets.kinds and len(city.assets.of_kind(kind.name)):
            continue
        try:
            things = {
                f"{kind.name}-{i}": msgspec.convert(values.struct(kind.attributes), kind.attributes)
                for i in range(THINGS)
            }
        except UnmadeError as error:
            untold.append(f"no {kind.name} can be made up ({error})")
        else:
            city = city.having(kind.name, things)
    return city, untold


class Stimulus:
    """Feeds a post, step by step. All that is drawn follows from the seed."""

    def __init__(self, post: Post, declaration: Declaration, seed: int) -> None:
        self._post = post
        self._rng = _rng(seed)
        self._declaration = declaration
        assets = post.kernel.city.assets
        self._values = Values(self._rng, assets.ids)
        self.untold: list[str] = []
        self._metrics = [
            (metric, [assets.ids[i] for i in assets.of_kind(metric.kind)])
            for declared in post.declared
            for metric in declared.metrics
            if metric.kind in assets.kinds and len(assets.of_kind(metric.kind))
        ]
        emitted = {kind.name: kind.data for declared in post.declared for kind in declared.events}
        emitted |= {kind.name: kind.data for kind in vocabulary.EVENTS}
        self._events: Mapping[str, type[msgspec.Struct]] = {
            kind: emitted.get(kind, wanted) for kind, wanted in declaration.reads.events.items()
        }

    def hours(self, hours: float) -> Iterator[str]:
        """Feed the post, and yield what goes on before each of its steps; time passes between some."""
        yield from self._for(20, "nothing is known yet", lambda: None)
        yield from self._for(400, "an ordinary day", lambda: self._some(0.1))
        for _ in range(round(hours)):
            self._set_programmes()
            for _ in range(12):
                self._post.jump(seconds=225)
                yield from self._for(10, "an ordinary day", lambda: self._some(0.2))
            yield from self._for(10, "the ends of the ranges", self._ends)
            yield from self._for(20, "a flood", self._flood)
            self._post.jump(seconds=900)
            yield from self._for(25, "silence", lambda: None)
        self._post.jump(seconds=_SILENCE_S)
        yield from self._for(25, "a long silence", lambda: None)
        self._post.save()
        self._post.crash()
        yield from self._for(20, "a restart", lambda: self._some(0.2))

    def _for(self, steps: int, what: str, feed: Callable[[], None]) -> Iterator[str]:
        for _ in range(steps):
            feed()
            yield what

    def _some(self, share: float) -> None:
        for metric, ids in self._metrics:
            chosen = np.flatnonzero(self._rng.random(len(ids)) < min(share, _ORDINARY / len(ids)))
            self._say(metric, [ids[i] for i in chosen], self._rng.random(len(chosen)) ** 2)
        if self._rng.random() < 0.1:
            self._tell(1)

    def _ends(self) -> None:
        for metric, ids in self._metrics:
            self._say(metric, ids, np.full(len(ids), float(self._rng.integers(2))))

    def _flood(self) -> None:
        for metric, ids in self._metrics:
            self._say(metric, ids, self._rng.random(len(ids)))
        self._tell(20)

    def _say(self, metric: Metric, ids: Sequence[str], at: np.ndarray) -> None:
        """Samples ``at`` so much of the way from low to high."""
        value = metric.low + at * (metric.high - metric.low)
        if metric.labels or metric.merge in (Merge.ANY, Merge.SUM):
            value = np.round(value)
        self._post.samples(ids, metric.name, value.tolist())

    def _tell(self, n: int) -> None:
        ids = self._post.kernel.city.assets.ids
        for kind, data in self._events.items():
            for _ in range(n):
                asset = str(self._rng.choice(ids)) if self._rng.random() < 0.7 else None
                try:
                    self._post.event(kind, self._values.struct(data), asset)
                except UnmadeError as error:
                    self.untold.append(f"no event {kind} can be made up ({error})")

    def _set_programmes(self) -> None:
        for kind in self._declaration.programmes:
            try:
                content = self._values.struct(kind.content)
                self._post.set_programme(kind.name, "", content)
            except (UnmadeError, AssertionError) as error:
                self.untold.append(f"no programme {kind.name} can be made up ({error})")


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))
