"""From people seen to lamps raised: sightings in, leased commands out."""

from __future__ import annotations

import math

import numpy as np

from ondijon import NONE, Batch, Command, Now, dimming
from plugins.lighting.park import Park
from plugins.lighting.state import People, State

#: Leases are rounded up to this (s), so that few commands carry many lamps.
LEASE_GRAIN_S = 5

#: A raise that comes later than this (s) is of no use to who was seen.
DEADLINE_S = 5.0

#: Why a command was asked for, as the audit shows it.
PRESENCE, SILENCE = "presence", "sensors silent"


def notice(park: Park, state: State, seen: Batch) -> None:
    """Take the samples of ``presence_sensor.presence``: somebody is where a count is above 0."""
    row = park.sensors.row[park.sensors.position[seen.asset]]
    somebody = (seen.value > 0) & (row != NONE)
    if not state.schedule.night or not somebody.any():
        return
    hold_ds = round(park.settings.presence.hold_s * 10)
    park.sensors.reach.notice(row[somebody], state.people.want, state.people.hold, hold_ds)
    oldest = int(seen.time[somebody].min())
    state.people.seen_utc = min(state.people.seen_utc, oldest) if state.people.seen_utc else oldest
    state.people.sightings += int(seen.value[somebody].sum())


def step(park: Park, state: State, now: Now) -> list[Command]:
    """Move all lamps on to ``now`` and ask for the leases that are due: one command for each length."""
    elapsed = _elapsed_ds(state.people, now.mono)
    since, state.people.seen_utc = state.people.seen_utc, 0
    if not state.schedule.night and not state.people.level.any():
        return []
    lamp, level, lease_ds = _pass(park, state, elapsed)
    lease_s = -(-lease_ds.astype(np.int64) // (10 * LEASE_GRAIN_S)) * LEASE_GRAIN_S
    # The device counts the rounded lease, so the model does too.
    state.people.lease[lamp] = np.minimum(lease_s * 10, dimming.LONGEST_DS)
    silent = state.schedule.keep_pct[lamp] >= level
    commands = [
        Command(
            verb="lamp.dim",
            targets=park.lamps.asset[lamp[group]],
            values=level[group].astype(np.float64),
            lease_s=float(length),
            deadline_s=DEADLINE_S,
            reason=reason,
            since=since if reason == PRESENCE else 0,
        )
        for reason, part in ((PRESENCE, ~silent), (SILENCE, silent))
        for length in np.unique(lease_s[part]).tolist()
        for group in (part & (lease_s == length),)
    ]
    state.people.commands += len(commands)
    state.people.leases += len(lamp)
    return commands


def guard(park: Park, state: State, silent: np.ndarray) -> None:
    """Keep, by night, the class floor where all sensors in reach are ``silent`` (bool[sensors])."""
    state.schedule.keep_pct[:] = 0
    if state.schedule.night and silent.any():
        works = park.sensors.row != NONE
        blind = park.sensors.reach.blind(silent[works].astype(np.uint8))
        state.schedule.keep_pct[:] = blind * park.lamps.floor_pct


def _pass(park: Park, state: State, elapsed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One pass of the fast loop; the lamps that are due, their level (%) and lease (0.1 s)."""
    settings, n = park.settings.presence, len(park.lamps)
    out = np.empty(n, np.uint32), np.empty(n, np.uint8), np.empty(n, np.int16)
    rows = dimming.tick(
        base=state.schedule.base_pct,
        keep=state.schedule.keep_pct,
        want=state.people.want,
        hold=state.people.hold,
        leased=state.people.leased,
        lease=state.people.lease,
        level=state.people.level,
        out_lamp=out[0],
        out_level=out[1],
        out_lease=out[2],
        elapsed_ds=elapsed,
        renew_ds=round(settings.renew_s * 10),
        keep_lease_ds=round(settings.silent_lease_s * 10),
        rise=_pace(settings.rise_s, elapsed),
        fall=_pace(settings.fade_s, elapsed),
    )
    return out[0][:rows], out[1][:rows], out[2][:rows]


def _pace(full_s: float, elapsed: int) -> int:
    """How far a level moves in ``elapsed`` tenths of a second if 0 to 100 % takes ``full_s``."""
    return min(math.ceil(dimming.FULL * elapsed / (full_s * 10)), dimming.FULL)


def _elapsed_ds(people: People, mono: int) -> int:
    """Tenths of a second since the last pass. Where the clock began anew, long enough to end every lease:
    after a restart nobody knows what still runs, and asking once too often harms nobody."""
    now = mono // 100_000
    before, people.ticked_ds = people.ticked_ds, now
    if before < 0:
        return 0
    return now - before if now >= before else dimming.LONGEST_DS
