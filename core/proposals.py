"""What a hook may answer. A plugin proposes; the kernel decides, journals, sends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np


class Emit(msgspec.Struct, frozen=True, kw_only=True):
    """Say that something happened. ``data`` is an instance of the Struct declared for ``kind``.

    ``cause`` is the seq of the event in this call that led to it. Of several events that came together the one with
    the longest chain is taken where none is named, and chains have an end: see ``caused``.
    """

    kind: str
    data: msgspec.Struct
    asset: int | None = None
    lon: float | None = None
    lat: float | None = None
    cause: int = 0


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Ask that ``targets`` (u32[n], asset indexes) take ``values`` (f64[n]) for ``lease_s`` seconds.

    The plugin's authorisations must cover it. A value is an absolute state, never a toggle. After the lease,
    and whenever the centre is silent, the device goes back to its own programme. ``deadline_s``: not executed
    within it, never executed. ``since`` is the µs of the oldest sample that led here, for the latency figures.
    """

    verb: str
    targets: np.ndarray
    values: np.ndarray
    lease_s: float
    deadline_s: float = 10.0
    reason: str
    since: int = 0


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """End what leases ``targets`` (u32[n], asset indexes) have of ``verb`` now: they go back to their programme."""

    verb: str
    targets: np.ndarray
    deadline_s: float = 10.0
    reason: str


class Raise(msgspec.Struct, frozen=True, kw_only=True):
    """The condition ``code`` holds on ``asset``, or on u32[n] of them; NONE: on the trade itself, on no thing.

    Raising what is raised changes nothing.
    """

    asset: int | np.ndarray
    code: str
    data: dict[str, float | int | str] = {}


class Clear(msgspec.Struct, frozen=True, kw_only=True):
    """The condition ``code`` holds no more on ``asset``, or on u32[n] of them."""

    asset: int | np.ndarray
    code: str


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """Put ``row`` (or take it away: None) under ``key`` of the view.

    It is about ``asset``, and so about its commune; without one about the whole city: a partner sees it accordingly.
    """

    view: str
    key: str
    row: msgspec.Struct | None
    asset: int | None = None


class Serves(msgspec.Struct, frozen=True, kw_only=True):
    """Say how own ``assets`` (u32[n], asset indexes) serve from now on: the contract's ledger rests on it.

    ``state`` is ``up``, ``degraded``, ``down``, ``unknown`` or ``excluded``. Saying what is known already changes
    nothing.
    """

    assets: np.ndarray
    state: str
    reason: str = ""


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """Say how the clock of a ``job``, an own name for it, goes from now on: contracts and penalties rest on it.

    ``state`` is ``running`` (it starts when the job is wanted, and again after a stop), ``stopped`` for a ``reason``,
    or ``ended``. Saying what is known already changes nothing.
    """

    job: str
    state: str
    reason: str = ""


Proposal = Emit | Command | Release | Raise | Clear | Publish | Serves | Clock


def caused(seq: int, proposals: Iterable[Proposal]) -> Iterator[Proposal]:
    """The same proposals, with the event ``seq`` as the cause of all that is said and names none."""
    for each in proposals:
        yield msgspec.structs.replace(each, cause=seq) if isinstance(each, Emit) and not each.cause else each
