"""The process that keeps: follows the egress, writes what comes ahead, seals hours, forgets what is too old."""

from __future__ import annotations

import datetime
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog

from adapters.history import duck, rows
from adapters.history.parquet import Writer, unfinished
from adapters.history.rows import Batch, Block
from adapters.history.settings import Settings
from adapters.history.store import HOUR, HOURS_A_DAY, OPEN, TABLES, Store, Table, day_of
from adapters.history.write_ahead import SUFFIX, WriteAhead
from core import city as cities
from core import whole
from core.partner_wire import BYTES_MAX, Change
from core.run import Run
from ondijon.partner import Partner

log = structlog.get_logger()

#: An hour is sealed when a minute of a later one is there, and nothing came for it for so long (s).
SEAL_S = 5.0

#: What failed at the disk is tried again after this long (s), and figures are told so often.
AGAIN_S, FIGURES_S = 30.0, 5.0

#: How long (s) the process waits for something to come.
TURN_S = 0.2

#: What a keeper counts, and what of its partner's figures it tells beside it.
COUNTERS = (
    "rows",
    "events",
    "hours_sealed",
    "files_forgotten",
    "minutes_missed",
    "repeated",
    "late",
    "unkept",
    "seals_failed",
    "torn",
    "damaged",
    "malformed",
    "unknown_assets",
)
FOLLOWING = ("resyncs", "cuts", "refused")

WRITE_AHEAD, SEALED = "write-ahead", "sealed"

#: Of write-ahead files, read again at a start: rows that are written at a time.
ROWS_MAX = 500_000

_batch = msgspec.msgpack.Decoder(Batch)
encode = msgspec.msgpack.Encoder().encode


class Hour:
    """One hour that is not sealed yet: its file, what waits to be synced, and whether readers see all of it."""

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.ahead = WriteAhead(path)
        self.changed = time.monotonic()
        self.blocks: list[Block] = []
        self.events: list[tuple[int, Change]] = []
        self.hidden = False

    def take(self) -> tuple[list[Block], list[tuple[int, Change]]]:
        """What waits for readers."""
        taken = self.blocks, self.events
        self.blocks, self.events = [], []
        return taken


class Keeper:
    """Keeps what it is given, in a folder. ``utc`` tells city time (µs). No socket: ``follow`` brings that."""

    def __init__(self, root: Path, settings: Settings, utc: Callable[[], int]) -> None:
        self.settings = settings
        self.store = Store(root)
        self._utc = utc
        self._ahead = root / WRITE_AHEAD
        self._ahead.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(root, 0o700)
        self.counts = dict.fromkeys(COUNTERS, 0)
        self._writer = Writer(self.store, settings.memory_mib)
        self._newest: dict[tuple[str, str], int] = {}
        self._hours: dict[int, Hour] = {}
        self._sealing: Iterator[None] | None = None
        self._again = 0.0
        self._trouble = ""
        self._reload: Callable[[], tuple[Any, Any]] = lambda: (None, None)
        self.sealed = self._read_sealed()
        #: Up to when (µs) alarms and commands were kept: what stood then is not told twice.
        self.known = (self.sealed + 1) * HOUR

    # -- the start

    def begin(self, register: Callable[[], tuple[Any, Any]]) -> None:
        """Take up what is there. ``register`` returns the assets and the streets as they are now."""
        self._reload = register
        self.name()
        shutil.rmtree(self.store.root / OPEN, ignore_errors=True)
        for file in unfinished(self.store.root):
            file.unlink()
        for path in sorted(self._ahead.glob(f"*{SUFFIX}")):
            number = _hour_of(path)
            if number is not None:
                hour = self._hours[number] = Hour(number, path)
                self._rebuild(hour, self._remember)
                self._note(hour)

    def _read_sealed(self) -> int:
        try:
            return int((self.store.root / SEALED).read_text("utf-8"))
        except (OSError, ValueError):
            return -1

    def name(self) -> None:
        """Take the register anew: it is another now."""
        assets, streets = self._reload()
        self._writer.name(assets, streets)

    def _note(self, hour: Hour) -> None:
        damage = hour.ahead.damage
        if damage.cut or damage.records:
            log.error("write-ahead", file=str(hour.ahead.path), cut_bytes=damage.cut, damaged=damage.records)
        self.counts["torn"] += damage.cut > 0
        self.counts["damaged"] += damage.records

    def _remember(self, batch: Batch, blocks: Sequence[Block]) -> None:
        self.known = max(self.known, batch.utc)
        for each in blocks:
            at = each.metric, each.key
            self._newest[at] = max(self._newest.get(at, 0), each.minute)

    def _rebuild(self, hour: Hour, remember: Callable[[Batch, Sequence[Block]], None]) -> None:
        """Let readers see what the hour's file holds."""
        for table in TABLES:
            for file in self.store.open(table, hours=range(hour.number, hour.number + 1)):
                os.unlink(file.path)
        hour.hidden = False
        hour.take()
        waiting = 0
        for data in hour.ahead.records():
            try:
                batch = _batch.decode(data)
                blocks = [rows.block(change) for change in batch.changes if change.topic == "minute"]
            except (msgspec.DecodeError, ValueError):
                hour.ahead.damage.records += 1
                continue
            remember(batch, blocks)
            hour.blocks += blocks
            hour.events += [(batch.utc, change) for change in batch.changes if change.topic != "minute"]
            waiting += sum(map(len, blocks)) + len(batch.changes)
            if waiting >= ROWS_MAX:
                self._show(hour)
                waiting = 0
        self._show(hour)

    # -- what comes

    def take(self, changes: Sequence[Change], standing: bool = False) -> None:
        """Write ahead what came. ``standing``: it comes from a snapshot, so what was kept already is in it too."""
        utc = self._utc()
        by_hour: dict[int, list[Change]] = {}
        taken: dict[int, list[Block]] = {}
        for change in changes:
            if change.topic == "minute":
                block = self._block(change)
                if block is not None:
                    by_hour.setdefault(block.minute // HOUR, []).append(change)
                    taken.setdefault(block.minute // HOUR, []).append(block)
            elif change.topic in rows.TOPICS and not (standing and rows.stamp(change) <= self.known):
                by_hour.setdefault(max(utc // HOUR, self.sealed + 1), []).append(change)
        for number, each in by_hour.items():
            self._write(number, Batch(utc, tuple(each)), taken.get(number, []))

    def _block(self, change: Change) -> Block | None:
        if change.row is None:
            return None
        try:
            block = rows.block(change)
        except (ValueError, TypeError, msgspec.ValidationError):
            self.counts["malformed"] += 1
            return None
        newest = self._newest.get((block.metric, block.key), 0)
        if block.minute <= newest:
            # The newest stands in each snapshot.
            self.counts["repeated"] += 1
            return None
        if newest and block.after > newest:
            self.counts["minutes_missed"] += 1
        self._newest[block.metric, block.key] = block.minute
        if block.minute // HOUR <= self.sealed:
            self.counts["late"] += len(block)
            return None
        return block

    def _write(self, number: int, batch: Batch, blocks: list[Block]) -> None:
        events = [(batch.utc, change) for change in batch.changes if change.topic != "minute"]
        try:
            hour = self._hours.get(number)
            if hour is None:
                hour = self._hours[number] = Hour(number, self._ahead / f"{_text_of(number)}{SUFFIX}")
            data = encode(batch)
            full = sum(each.ahead.size for each in self._hours.values()) + len(data)
            if full > self.settings.write_ahead_mib << 20:
                raise OSError(
                    f"more than write_ahead_mib = {self.settings.write_ahead_mib} wait to be sealed"
                )
            hour.ahead.append(data)
        except OSError as error:
            self._unkept(sum(map(len, blocks)) + len(events), error)
            return
        hour.changed = time.monotonic()
        hour.blocks += blocks
        hour.events += events
        if events:
            self.known = max(self.known, batch.utc)

    def _unkept(self, n: int, error: Exception) -> None:
        self.counts["unkept"] += n
        self.say(f"not kept: {error}")

    def say(self, trouble: str) -> None:
        """Log what goes wrong; nothing goes wrong any more where it is empty."""
        # Once, not each minute of a night on a full disk.
        if trouble and trouble != self._trouble:
            log.error("history", what=trouble, next="Make room, or lower keep_days or size_gib.")
        self._trouble = trouble

    # -- what is due

    def sync(self) -> None:
        """Have all that was taken outlive a crash, one fsync an hour that is open; then let readers see it."""
        for hour in list(self._hours.values()):
            if not hour.blocks and not hour.events:
                continue
            try:
                hour.ahead.sync()
            except OSError as error:
                blocks, events = hour.take()
                self._unkept(sum(map(len, blocks)) + len(events), error)
                continue
            self.counts["rows"] += sum(map(len, hour.blocks))
            self.counts["events"] += len(hour.events)
            self.say("")
            self._show(hour)

    def _show(self, hour: Hour) -> None:
        blocks, events = hour.take()
        if (
            blocks
            and max(int(each.columns["asset"].max(initial=0)) for each in blocks) >= self._writer.assets
        ):
            self.name()
            beyond = sum(int((each.columns["asset"] >= self._writer.assets).sum()) for each in blocks)
            self.counts["unknown_assets"] += beyond
        try:
            if blocks:
                self._writer.minutes(blocks)
            if events:
                # By the hour they came in, as their file is named.
                at = max(events[0][0], hour.number * HOUR)
                self._writer.events([(max(utc, at), change) for utc, change in events])
        except (duck.Error, OSError) as error:
            hour.hidden = True
            self.say(f"not shown yet: {error}")

    def turn(self) -> None:
        """Seal a file of an hour that is over, and forget what is too old: a little at a time."""
        if time.monotonic() < self._again:
            return
        if self._sealing is None:
            hour = self._over()
            if hour is None:
                return
            self._sealing = self._seal(hour)
        try:
            next(self._sealing)
        except StopIteration:
            self._sealing = None
            self.forget()
        except (duck.Error, OSError) as error:
            self._sealing = None
            self._again = time.monotonic() + AGAIN_S
            self.counts["seals_failed"] += 1
            self.say(f"not sealed: {error}")

    def _over(self) -> Hour | None:
        if not self._hours:
            return None
        hour = self._hours[min(self._hours)]
        now = max(self._utc() // HOUR, max(self._hours))
        quiet = time.monotonic() - hour.changed >= SEAL_S
        return hour if hour.number < now and quiet else None

    def seal_all(self) -> None:
        """Seal every hour there is, at once."""
        for number in sorted(self._hours):
            for _ in self._seal(self._hours[number]):
                pass

    def _seal(self, hour: Hour) -> Iterator[None]:
        if hour.hidden:
            self._rebuild(hour, lambda *_: None)
            if hour.hidden:
                raise OSError("what was written ahead cannot be shown")
        hours = range(hour.number, hour.number + 1)
        done = []
        for table in TABLES:
            for trade, commune, files in self._divided(table, hours):
                self._writer.seal(table, trade, commune, hour.number, files)
                done += files
                yield
        # From here on what comes for this hour is late; and its file is not needed any more.
        whole.write(self.store.root / SEALED, f"{hour.number}\n".encode(), 0o600)
        self.sealed = max(self.sealed, hour.number)
        self._hours.pop(hour.number).ahead.remove()
        self.counts["hours_sealed"] += 1
        for path in done:
            Path(path).unlink(missing_ok=True)

    def _divided(self, table: Table, hours: range) -> list[tuple[str, str, list[str]]]:
        divided: dict[tuple[str, str], list[str]] = {}
        for file in sorted(self.store.open(table, hours=hours)):
            divided.setdefault((file.trade, file.commune), []).append(file.path)
        return [(trade, commune, files) for (trade, commune), files in divided.items()]

    def forget(self) -> None:
        """Delete what is older than ``keep_days``, then the oldest until all fits in ``size_gib``."""
        oldest = self._utc() // HOUR - self.settings.keep_days * HOURS_A_DAY
        files = sorted(file for table in TABLES for file in self.store.sealed(table))
        size, limit = sum(file.size for file in files), int(self.settings.size_gib * (1 << 30))
        for file in files:
            if file.hour >= oldest and size <= limit:
                break
            path = Path(file.path)
            path.unlink(missing_ok=True)
            size -= file.size
            self.counts["files_forgotten"] += 1
            # Its day, commune and trade too, where nothing else is left of them.
            for folder in path.parents[:3]:
                try:
                    folder.rmdir()
                except OSError:
                    break

    def close(self) -> None:
        """Stop in order: what came is on disk, and the next start takes it up."""
        self.sync()
        for hour in self._hours.values():
            hour.ahead.close()
        self._writer.close()


def _text_of(hour: int) -> str:
    return f"{day_of(hour)}T{hour % HOURS_A_DAY:02}"


def _hour_of(path: Path) -> int | None:
    try:
        at = datetime.datetime.strptime(path.name.removesuffix(SUFFIX), "%Y-%m-%dT%H")
    except ValueError:
        return None
    return int(at.replace(tzinfo=datetime.UTC).timestamp()) // 3600


class Follow:
    """Brings a keeper what the post tells, until a signal."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._run = run
        self._stopping = False
        signal.signal(signal.SIGTERM, self._ask_to_stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._streets = cities.load(run.city).streets
        self.keeper = Keeper(run.data / "history", settings, run.clock().utc)
        endpoint, key = run.endpoints.partners, run.keys("history-0")
        self._partner = Partner(endpoint, key, topics=rows.TOPICS, bytes=BYTES_MAX)
        self._registered = 0
        self._told = self._since = 0.0

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def _register(self) -> tuple[Any, Any]:
        while not self._run.assets_path.exists() and not self._stopping:
            time.sleep(TURN_S)
        self._registered = self._run.assets_path.stat().st_mtime_ns
        return cities.load_assets(self._run.assets_path), self._streets

    def main(self) -> None:
        """Follow until asked to stop."""
        self.keeper.begin(self._register)
        log.info("history ready", sealed=self.keeper.sealed, known=self.keeper.known)
        while not self._stopping:
            self._turn()
        self.keeper.close()
        self._partner.close()
        self._tell()

    def _turn(self) -> None:
        snapshots = self._partner.follower.statistics.snapshots
        changes = self._partner.turn(TURN_S)
        now = time.monotonic()
        if changes:
            self.keeper.take(changes, self._partner.follower.statistics.snapshots > snapshots)
            self._since = self._since or now
        # Minutes come in many messages: one fsync when the last has come, or a second later.
        if self._since and (not changes or now - self._since > 1.0):
            self.keeper.sync()
            self._since = 0.0
        if not self._since:
            self.keeper.turn()
        if now - self._told > FIGURES_S:
            self._told = now
            self._tell()
            if self._run.assets_path.stat().st_mtime_ns != self._registered:
                self.keeper.name()

    def _tell(self) -> None:
        partner = msgspec.structs.asdict(self._partner.follower.statistics)
        figures = self.keeper.counts | {name: partner[name] for name in FOLLOWING}
        new = self._run.report("history").with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(figures))
            new.replace(self._run.report("history"))
        except OSError as error:
            self.keeper.say(f"figures: {error}")
