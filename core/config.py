"""The configuration: one TOML file, decoded strictly; every error names file, key and what is expected."""

from __future__ import annotations

import datetime
import ipaddress
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from core.declaration import Declaration, Retention
from core.errors import ConfigError
from core.plugins import expected

#: The version of the configuration's format.
VERSION = 1

T = TypeVar("T", bound=msgspec.Struct)

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]

#: So fast that a day passes in 9 s; faster, and the clock's own numbers would run out of digits.
Speed = Annotated[float, msgspec.Meta(gt=0, le=10_000)]


class PostConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[post]``: the kernel.

    ``city`` the city folder; ``data`` the folder of journal and state; ``plugins`` the allow-list, in the
    order they are called; ``plugin_folder`` holds one-file plugins; ``step_ms`` the grid of steps in city
    time; ``seed`` of every random draw.
    """

    city: Path
    data: Path
    plugins: list[str]
    plugin_folder: Path | None = None
    step_ms: Annotated[int, msgspec.Meta(ge=5, le=60_000)] = 50
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0


class TimeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[time]``: leave it out in production. ``start`` moves the city to a date, ``speed`` makes it run faster."""

    speed: Speed = 1.0
    start: datetime.datetime | None = None


class EdgesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[edges]``: where gateways and partners connect. A port of 0 takes a free one.

    ``memory_mib`` caps each edge process; ``sessions`` and ``slots`` cap what the telemetry edge holds, ``partners``
    how many follow at the same time.
    """

    address: str = "127.0.0.1"
    telemetry_port: Port = 0
    control_port: Port = 0
    events_port: Port = 0
    partners_port: Port = 0
    memory_mib: Annotated[int, msgspec.Meta(ge=64)] = 512
    sessions: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 4096
    slots: Annotated[int, msgspec.Meta(ge=1)] = 1_000_000
    partners: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 64


class JournalConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[journal]``: under which ``name`` its heads are signed, and the folders of the ``witness`` who keeps them.

    A witness belongs to the city, not to who runs the post: else it proves nothing. Events are kept for
    ``keep_days``, and for ``ledger_days`` what audit and contracts need; 0 keeps them for ever.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9.-]{0,60}\Z")] = "ondijon"
    witness: list[Path] = []
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=36_600)] = 366
    ledger_days: Annotated[int, msgspec.Meta(ge=0, le=36_600)] = 3_660


class GateConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[gate]``: whom the post believes, and what one person may do alone.

    ``login_key`` the file of the login process's public keys, without one no person is known; ``danger_targets``
    the targets up to which one person suffices; ``person_targets`` what one person may ask in a minute;
    ``approve_s`` how long a command waits for the second person.
    """

    login_key: Path | None = None
    danger_targets: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 200
    person_targets: Annotated[int, msgspec.Meta(ge=1)] = 2000
    approve_s: Annotated[float, msgspec.Meta(ge=10, le=300)] = 300.0


class SecurityConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[security]``: who may connect.

    ``curve``: every TCP socket is encrypted and knows whom it lets in; without it only this machine may reach the post.
    ``warn_days`` before a key expires it is an alarm.
    """

    curve: bool = True
    warn_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30


class PrivacyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[privacy]``: ``days`` gives retention classes of the trades another time than they declare."""

    days: dict[str, Annotated[int, msgspec.Meta(ge=1)]] = {}

    def classes(self, declarations: Iterable[Declaration]) -> list[Retention]:
        """The retention classes of the trades, each with the days that hold here. Raises ConfigError."""
        declared = {each.name: each for declaration in declarations for each in declaration.retention}
        unknown = sorted(set(self.days) - set(declared))
        if unknown:
            raise ConfigError(
                f"no allowed plugin declares the retention {unknown[0]!r}.",
                where="[privacy] days",
                next=f"Declared are: {', '.join(sorted(declared)) or 'none'}.",
            )
        return [
            msgspec.structs.replace(each, days=self.days.get(name, each.days))
            for name, each in declared.items()
        ]


class RecordConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[record]``: each step's inputs, from which the past can be replayed.

    They are kept for ``keep_days``, and no more than ``max_gib``: the oldest go first.
    """

    enabled: bool = True
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3660)] = 7
    max_gib: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 20.0


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one worker may take: ``memory_mib``, ``cpu_percent`` of a core over 10 s; the time (s) in which it must
    answer, ``answer_s``, and ``begin_s`` the first time in a city.
    """

    memory_mib: Annotated[int, msgspec.Meta(ge=64, le=1 << 20)] = 512
    cpu_percent: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    answer_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 3.0
    begin_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 30.0


class WorkersConfig(WorkerConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[workers]``: plugins in processes of their own.

    Those that do not come with ondijon run there, but for the ``trusted``; of those that do, the ``isolated``. The
    other keys are what each may take; ``[workers.plugins.NAME]`` gives one of them its own.
    """

    trusted: list[str] = []
    isolated: list[str] = []
    plugins: dict[str, WorkerConfig] = {}

    def of(self, plugin: str) -> WorkerConfig:
        """What a plugin's worker may take."""
        return self.plugins.get(plugin, self)


class HealthConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[health]``: where ``/livez`` and ``/readyz`` are answered. A port of 0 takes a free one."""

    address: str = "127.0.0.1"
    port: Port = 0


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. ``plugins`` and ``adapters`` hold one table each, decoded by their own Structs."""

    version: int
    post: PostConfig
    time: TimeConfig = TimeConfig()
    edges: EdgesConfig = EdgesConfig()
    journal: JournalConfig = JournalConfig()
    gate: GateConfig = GateConfig()
    security: SecurityConfig = SecurityConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    record: RecordConfig = RecordConfig()
    workers: WorkersConfig = WorkersConfig()
    health: HealthConfig = HealthConfig()
    plugins: dict[str, dict[str, Any]] = {}
    adapters: dict[str, dict[str, Any]] = {}


def load(path: Path) -> Config:
    """Read a configuration file. Relative folders are relative to it. Raises ConfigError."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            "there is no such file.", where=str(path), next="To begin: ondijon example > ondijon.toml"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}.", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        # tomllib's own error is a ValueError; so is that of a number of 5,000 digits.
        raise ConfigError(
            f"not TOML: {error}.", where=str(path), next="Mend the line and check again."
        ) from error
    return from_table(raw, str(path), path.resolve().parent)


def from_table(raw: dict[str, Any], where: str, folder: Path) -> Config:
    """A configuration from its decoded TOML. Raises ConfigError."""
    version = raw.get("version")
    if version != VERSION:
        raise ConfigError(
            f"version is {version!r}, this post reads {VERSION}.",
            where=where,
            next=f"Write `version = {VERSION}` at the top.",
        )
    config = decode(raw, Config, where)
    post = config.post
    unknown = sorted(set(config.plugins) - set(post.plugins))
    if unknown:
        raise ConfigError(
            f"[plugins.{unknown[0]}] configures a plugin that `post.plugins` does not allow.",
            where=where,
            next=f"Add {unknown[0]!r} to plugins in [post], or take the table out.",
        )
    if len(set(post.plugins)) != len(post.plugins):
        raise ConfigError("post.plugins names a plugin twice.", where=where)
    workers = config.workers
    strangers = sorted({*workers.trusted, *workers.isolated, *workers.plugins} - set(post.plugins))
    if strangers:
        raise ConfigError(
            f"[workers] names {strangers[0]!r}, which `post.plugins` does not allow.",
            where=where,
            next=f"Add {strangers[0]!r} to plugins in [post], or take it out.",
        )
    if not config.security.curve and not _is_loopback(config.edges.address):
        raise ConfigError(
            f"[security] curve = false, and [edges] address {config.edges.address!r} can be reached from outside.",
            where=where,
            next='Take curve = false out, or write address = "127.0.0.1".',
        )
    located = msgspec.structs.replace(
        post,
        city=folder / post.city,
        data=folder / post.data,
        plugin_folder=folder / post.plugin_folder if post.plugin_folder else None,
    )
    journal = msgspec.structs.replace(
        config.journal, witness=[folder / witness for witness in config.journal.witness]
    )
    gate = msgspec.structs.replace(
        config.gate, login_key=folder / config.gate.login_key if config.gate.login_key else None
    )
    return msgspec.structs.replace(config, post=located, journal=journal, gate=gate)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def decode(table: Any, struct: type[T], where: str) -> T:
    """A table as its Struct. Raises ConfigError naming the key, what is wrong and the keys there are."""
    try:
        return msgspec.convert(table, struct, dec_hook=_dec_hook)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{error}.", where=where, next=_keys_at(struct, str(error))) from error


def _dec_hook(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(
        f"expected {'a path' if wanted is Path else wanted.__name__}, got {type(value).__name__}"
    )


def _keys_at(struct: type[msgspec.Struct], error: str) -> str:
    # msgspec ends a message with "- at `$.post`": name the keys of that table.
    path = error.rpartition("`$")[2].strip("`").split(".")[1:]
    for part in path:
        for field in msgspec.structs.fields(struct):
            if (
                field.encode_name == part
                and isinstance(field.type, type)
                and issubclass(field.type, msgspec.Struct)
            ):
                struct = field.type
    return expected(struct)
