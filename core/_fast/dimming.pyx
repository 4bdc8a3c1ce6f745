"""Presence dimming over plain arrays: who lights up, for how long, and what the post must send.

Three facts shape it (measured in bench/bench_dimming.py):

* Streets and sensors stand still, so what each sensor reaches is worked out once (``Reach``). A tick then
  scatters a few rows instead of searching the graph.
* Lamps are touched rarely but fade always, so the rest is one dense pass (dimming.h) in vector code.
* Times are countdowns in tenths of a second, not instants: half the bytes, and nothing wraps around.
"""

cimport cython
from libc.stddef cimport size_t
from libc.stdint cimport int16_t, uint8_t, uint32_t

import numpy as np

cdef extern from "dimming.h" nogil:
    ctypedef struct dimming_park:
        const uint8_t *base
        const uint8_t *keep
        uint8_t *want
        uint8_t *leased
        int16_t *hold
        int16_t *lease
        int16_t *level
        uint32_t *out_lamp
        uint8_t *out_level
        int16_t *out_lease
        int16_t elapsed
        int16_t renew
        int16_t keep_lease
        int16_t rise
        int16_t fall

    size_t dimming_pass(const dimming_park *park, size_t lamps)
    size_t dimming_notice(
        const uint32_t *start, const uint32_t *lamps, const uint8_t *levels,
        const uint32_t *seen, size_t sensors, uint8_t *want, int16_t *hold, int16_t hold_ds,
    )

#: The longest time a countdown can hold, in tenths of a second (54 minutes).
LONGEST_DS = 32_767

#: A modelled level of 100 %.
FULL = 100 * 256


@cython.final
cdef class Reach:
    """Which lamps each sensor lights, and how far: built once, then only read.

    The lamps are a graph along the streets: ``start`` u32[lamps + 1] and ``to`` u32[arcs] (CSR).
    ``sensor_lamp`` u32[sensors] says where each sensor hangs; ``boost`` u8[hops + 1] which level (%)
    it asks of its own lamp, of the neighbours, of their neighbours ... A lamp met twice takes the
    level of the shortest way.

    What it found lies in ``lamp`` u32, ``level`` u8, sensor s from ``start[s]`` to ``start[s + 1]``. Nothing
    but the constructor can make these arrays; this is why ``notice`` may trust them. Raises ValueError
    for a graph that contradicts itself, OverflowError for more than 2**32 lamps reached.
    """

    cdef readonly object start
    cdef readonly object lamp
    cdef readonly object level
    cdef readonly Py_ssize_t lamps
    cdef readonly Py_ssize_t sensors
    cdef uint32_t[::1] _start
    cdef uint32_t[::1] _lamp
    cdef uint8_t[::1] _level

    def __init__(
        self,
        const uint32_t[::1] start not None,
        const uint32_t[::1] to not None,
        const uint32_t[::1] sensor_lamp not None,
        const uint8_t[::1] boost not None,
    ):
        self.lamps = start.shape[0] - 1
        self.sensors = sensor_lamp.shape[0]
        _check_graph(start, to, self.lamps)
        if boost.shape[0] == 0 or np.max(boost) > 100:
            raise ValueError("boost needs one level of 0 to 100 % for each hop, beginning with hop 0.")
        if self.sensors and np.max(sensor_lamp) >= self.lamps:
            raise ValueError("a sensor hangs on a lamp that is not in the graph.")
        self._build(start, to, sensor_lamp, boost)

    cdef _build(
        self,
        const uint32_t[::1] start,
        const uint32_t[::1] to,
        const uint32_t[::1] sensor_lamp,
        const uint8_t[::1] boost,
    ):
        rows = np.zeros(self.sensors + 1, np.uint32)
        self._start = rows
        cdef uint32_t[::1] met = np.zeros(self.lamps, np.uint32)
        cdef uint32_t[::1] queue = np.empty(self.lamps, np.uint32)
        cdef uint8_t[::1] found = np.empty(self.lamps, np.uint8)
        cdef Py_ssize_t s, i, n, total = 0
        with nogil:
            for s in range(self.sensors):
                total += _walk(start, to, sensor_lamp[s], boost, <uint32_t>(s + 1), met, queue, found)
                self._start[s + 1] = <uint32_t>total
        if total >= 2**32:
            raise OverflowError("the sensors reach more lamps than a u32 can count: use fewer hops.")
        lamp, level = np.empty(total, np.uint32), np.empty(total, np.uint8)
        self._lamp, self._level = lamp, level
        met[:] = 0
        with nogil:
            for s in range(self.sensors):
                n = _walk(start, to, sensor_lamp[s], boost, <uint32_t>(s + 1), met, queue, found)
                for i in range(n):
                    self._lamp[self._start[s] + i] = queue[i]
                    self._level[self._start[s] + i] = found[i]
        for array in (rows, lamp, level):
            array.setflags(write=False)
        self.start, self.lamp, self.level = rows, lamp, level

    def notice(
        self,
        const uint32_t[::1] seen not None,
        uint8_t[::1] want not None,
        int16_t[::1] hold not None,
        int16_t hold_ds,
    ):
        """Scatter sightings: each lamp in reach of the sensors ``seen`` u32[m] wants the highest level asked
        for, and holds it ``hold_ds`` from now. Ascending ``seen`` is fastest.

        Changes ``want`` u8[lamps] (%) and ``hold`` i16[lamps] (0.1 s). Returns how many lamps were
        touched, each sensor for itself. Raises IndexError for an unknown sensor, with nothing changed.
        """
        cdef Py_ssize_t i
        cdef size_t touched
        if want.shape[0] != self.lamps or hold.shape[0] != self.lamps:
            raise ValueError(f"want and hold need one row for each of {self.lamps} lamps.")
        if hold_ds <= 0:
            raise ValueError("hold_ds must be above 0.")
        for i in range(seen.shape[0]):
            if seen[i] >= self.sensors:
                raise IndexError(f"there is no sensor {seen[i]}: the last one is {self.sensors - 1}.")
        if seen.shape[0] == 0:
            return 0
        with nogil:
            touched = dimming_notice(
                &self._start[0], &self._lamp[0], &self._level[0],
                &seen[0], seen.shape[0], &want[0], &hold[0], hold_ds,
            )
        return touched

    def blind(self, const uint8_t[::1] silent not None):
        """u8[lamps]: 1 where sensors reach a lamp and all of them are ``silent`` u8[sensors]; else 0."""
        cdef Py_ssize_t s
        cdef uint32_t row
        if silent.shape[0] != self.sensors:
            raise ValueError(f"silent needs one row for each of {self.sensors} sensors.")
        out = np.zeros(self.lamps, np.uint8)
        cdef uint8_t[::1] lamp = out
        with nogil:
            for s in range(self.sensors):
                if silent[s]:
                    for row in range(self._start[s], self._start[s + 1]):
                        lamp[self._lamp[row]] = 1
            for s in range(self.sensors):
                if not silent[s]:
                    for row in range(self._start[s], self._start[s + 1]):
                        lamp[self._lamp[row]] = 0
        return out


def tick(
    *,
    const uint8_t[::1] base not None,
    const uint8_t[::1] keep not None,
    const uint8_t[::1] want not None,
    int16_t[::1] hold not None,
    uint8_t[::1] leased not None,
    int16_t[::1] lease not None,
    int16_t[::1] level not None,
    uint32_t[::1] out_lamp not None,
    uint8_t[::1] out_level not None,
    int16_t[::1] out_lease not None,
    int elapsed_ds,
    int renew_ds,
    int keep_lease_ds,
    int rise,
    int fall,
):
    """Move every lamp ``elapsed_ds`` tenths of a second on; grant the leases that are due.

    What a device does: by itself it runs its programme, ``base`` (%). Under a lease it goes up fast to the
    level ``leased`` and stays; when ``lease`` (0.1 s left) is over it fades back slowly. So the post
    sends nothing but raises, and its silence leaves every lamp on its programme.

    What the post wants: at least ``keep`` (%; for example the safe level where sensors are silent), and
    ``want`` (%) while ``hold`` (0.1 s left) lasts. A lamp is due where that is above what the device
    will do by itself and either above its present lease too, or the lease ends within ``renew_ds`` and
    before the wish does. A lease for ``want`` covers the hold and ``renew_ds`` more; one for ``keep`` lasts
    ``keep_lease_ds``. So each sighting is honoured for its whole hold, and none is sent twice.

    All levels are 0..100 and none that is granted is below ``base``: floors live in ``base`` and ``keep``.
    ``level`` i16 models the device in 1/256 % and moves by at most ``rise`` up or ``fall`` down in this
    call (same unit). Arrays are [lamps], contiguous: u8 ``base keep want leased``, i16 ``hold lease
    level``; ``hold leased lease level`` change. The due lamps, ascending, fill the first rows of
    ``out_lamp`` u32, ``out_level`` u8 (%), ``out_lease`` i16 (0.1 s); their number is returned. Raises
    ValueError for arrays of different lengths or times and speeds out of range, with nothing changed.
    """
    cdef Py_ssize_t lamps = base.shape[0]
    cdef dimming_park park
    cdef size_t rows
    if not (
        keep.shape[0] == want.shape[0] == hold.shape[0] == leased.shape[0] == lease.shape[0] == lamps
        and level.shape[0] == out_lamp.shape[0] == out_level.shape[0] == out_lease.shape[0] == lamps
    ):
        raise ValueError(f"every array needs one row for each of {lamps} lamps.")
    if elapsed_ds < 0 or not 0 <= renew_ds < keep_lease_ds <= LONGEST_DS:
        raise ValueError("times must be 0 <= elapsed_ds and 0 <= renew_ds < keep_lease_ds <= 32767.")
    if not (0 <= rise <= FULL and 0 <= fall <= FULL):
        raise ValueError("rise and fall must lie between 0 and FULL.")
    if lamps == 0:
        return 0
    park.base, park.keep, park.want = &base[0], &keep[0], <uint8_t *>&want[0]
    park.leased, park.hold, park.lease, park.level = &leased[0], &hold[0], &lease[0], &level[0]
    park.out_lamp, park.out_level, park.out_lease = &out_lamp[0], &out_level[0], &out_lease[0]
    park.elapsed = <int16_t>min(elapsed_ds, LONGEST_DS)
    park.renew, park.keep_lease = <int16_t>renew_ds, <int16_t>keep_lease_ds
    park.rise, park.fall = <int16_t>rise, <int16_t>fall
    with nogil:
        rows = dimming_pass(&park, lamps)
    return rows


cdef Py_ssize_t _walk(
    const uint32_t[::1] start,
    const uint32_t[::1] to,
    uint32_t origin,
    const uint8_t[::1] boost,
    uint32_t mark,
    uint32_t[::1] met,
    uint32_t[::1] queue,
    uint8_t[::1] found,
) noexcept nogil:
    """Breadth first from ``origin``: fill ``queue`` and ``found`` with lamps and their level, return how many.

    ``met[lamp] == mark`` says that this walk has been there: marks differ, so nothing needs clearing.
    """
    cdef Py_ssize_t head = 0, tail = 1, ring, hop = 0
    cdef uint32_t arc, lamp
    met[origin] = mark
    queue[0] = origin
    found[0] = boost[0]
    while hop + 1 < boost.shape[0]:
        hop += 1
        ring = tail
        while head < ring:
            for arc in range(start[queue[head]], start[queue[head] + 1]):
                lamp = to[arc]
                if met[lamp] != mark:
                    met[lamp] = mark
                    queue[tail] = lamp
                    found[tail] = boost[hop]
                    tail += 1
            head += 1
    return tail


cdef _check_graph(const uint32_t[::1] start, const uint32_t[::1] to, Py_ssize_t lamps):
    """Raise ValueError unless start and to are a CSR graph over ``lamps`` lamps."""
    cdef Py_ssize_t i
    if lamps < 0 or start[0] != 0 or start[lamps] != to.shape[0]:
        raise ValueError("start must begin with 0 and end with the number of arcs.")
    for i in range(lamps):
        if start[i] > start[i + 1]:
            raise ValueError(f"start goes down after lamp {i}.")
    for i in range(to.shape[0]):
        if to[i] >= lamps:
            raise ValueError(f"arc {i} leads to lamp {to[i]}, which is not in the graph.")
