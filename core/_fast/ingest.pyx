"""From socket to table: receive, decode, validate, stage, merge. No Python object is made a sample.

The frames are those of docs/protocol.md, wire version 1, little endian. One sample is one frame of 32
bytes; a columnar frame has the same header once, then ``value`` f64[n], ``offset`` i32[n] (µs after the
header's time), ``index`` u16[n] and, where the header's metric is 0xFFFF, ``metric`` u16[n].

libzmq is not linked: its functions are looked up at run time in the very library that pyzmq's sockets
belong to. A second libzmq would accept those sockets and receive nothing.
"""

from libc.math cimport fmin, isfinite
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset, strncmp, strncpy

from core._fast.slots cimport SLOTS_FETCH, Slots, slots_merge, slots_rule, slots_tally

import numpy as np
import zmq

cdef extern from "dlfcn.h" nogil:
    void *dlopen(const char *path, int flags)
    void *dlsym(void *handle, const char *name)
    int RTLD_NOW
    int RTLD_NOLOAD

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *out)
    int CLOCK_MONOTONIC

cdef extern from "errno.h" nogil:
    int EAGAIN
    int EINTR

cdef extern from *:
    """
    #define ondijon_clz(x) __builtin_clzll(x)
    """
    int ondijon_clz(uint64_t) noexcept nogil

ctypedef int (*msg_init_t)(msg_t *) noexcept nogil
ctypedef int (*msg_close_t)(msg_t *) noexcept nogil
ctypedef int (*msg_recv_t)(msg_t *, void *, int) noexcept nogil
ctypedef void *(*msg_data_t)(msg_t *) noexcept nogil
ctypedef int (*msg_more_t)(const msg_t *) noexcept nogil
ctypedef int (*msg_get_t)(const msg_t *, int) noexcept nogil
ctypedef const char *(*msg_gets_t)(const msg_t *, const char *) noexcept nogil
ctypedef int (*errno_t)() noexcept nogil
ctypedef void (*version_t)(int *, int *, int *) noexcept nogil

cdef msg_init_t msg_init = NULL
cdef msg_close_t msg_close = NULL
cdef msg_recv_t msg_recv = NULL
cdef msg_data_t msg_data = NULL
cdef msg_more_t msg_more = NULL
cdef msg_get_t msg_get = NULL
cdef msg_gets_t msg_gets = NULL
cdef errno_t zmq_errno = NULL
cdef version_t zmq_version = NULL

cdef enum:
    WIRE_VERSION = 1
    SINGLE = 1
    COLUMNS = 2
    HEADER = 32
    EACH_OWN_METRIC = 0xFFFF
    DONTWAIT = 1
    STAGE = 64
    NO_SLOT = 0xFFFFFFFF
    BUCKETS = 256
    # Frames between two looks at the clock, and ns after which a drain gives way to the rest of the loop.
    CLOCK_EACH = 64
    DRAIN_MAX = 2000000
    # ZMQ_SRCFD, and how many refused connections one drain remembers.
    SRCFD = 2
    STRANGERS = 16

# Counters. Those before UNKNOWN_SESSION count what came in; those up to FRAMES_REFUSED count samples,
# each once; the rest count frames whose samples cannot be told.
cdef enum:
    FRAMES
    RECEIVED
    APPLIED_
    UNCHANGED_
    CONFLATED_
    LOST
    UNKNOWN_SESSION
    FOREIGN_SESSION
    REPLAYED
    UNKNOWN_INDEX
    UNKNOWN_METRIC
    NOT_FINITE
    OUT_OF_RANGE
    FUTURE
    BAD_TIME
    LATE_
    TRUNCATED
    OVERSIZED
    BAD_VERSION
    BAD_KIND
    BAD_COUNT
    BAD_LENGTH
    MULTIPART
    COUNTERS

#: The counters by name, in order.
COUNTERS_NAMES = (
    "frames", "received", "applied", "unchanged", "conflated", "lost",
    "unknown_session", "foreign_session", "replayed", "unknown_index", "unknown_metric", "not_finite", "out_of_range",
    "future", "bad_time", "late",
    "truncated", "oversized", "bad_version", "bad_kind", "bad_count", "bad_length", "multipart",
)
#: Reasons a sample is refused for, and reasons a whole frame is refused for before its samples are known.
SAMPLE_REFUSALS = COUNTERS_NAMES[UNKNOWN_SESSION:TRUNCATED]
FRAME_REFUSALS = COUNTERS_NAMES[TRUNCATED:]


def resolve_libzmq():
    """Find libzmq's functions in pyzmq's own library; return its version (major, minor, patch).

    Raises OSError where pyzmq's backend is not the compiled one of this platform.
    """
    global msg_init, msg_close, msg_recv, msg_data, msg_more, msg_get, msg_gets, zmq_errno, zmq_version
    cdef int version[3]
    try:
        from zmq.backend.cython import _zmq
        path = _zmq.__file__.encode()
    except (ImportError, AttributeError) as error:
        raise OSError(f"pyzmq has no compiled backend here: {error}") from error
    cdef void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD)
    if library == NULL:
        raise OSError(f"{path.decode()} is not loaded")
    # dlsym also searches what the library itself depends on: that is where libzmq is.
    msg_init = <msg_init_t> dlsym(library, b"zmq_msg_init")
    msg_close = <msg_close_t> dlsym(library, b"zmq_msg_close")
    msg_recv = <msg_recv_t> dlsym(library, b"zmq_msg_recv")
    msg_data = <msg_data_t> dlsym(library, b"zmq_msg_data")
    msg_more = <msg_more_t> dlsym(library, b"zmq_msg_more")
    msg_get = <msg_get_t> dlsym(library, b"zmq_msg_get")
    msg_gets = <msg_gets_t> dlsym(library, b"zmq_msg_gets")
    zmq_errno = <errno_t> dlsym(library, b"zmq_errno")
    zmq_version = <version_t> dlsym(library, b"zmq_version")
    if not (
        msg_init and msg_close and msg_recv and msg_data and msg_more
        and msg_get and msg_gets and zmq_errno and zmq_version
    ):
        raise OSError("libzmq's functions are not to be found behind pyzmq's backend")
    zmq_version(&version[0], &version[1], &version[2])
    found = (version[0], version[1], version[2])
    if found != tuple(zmq.zmq_version_info()):
        raise OSError(f"found libzmq {found}, but pyzmq uses {zmq.zmq_version_info()}")
    return found


cdef inline int64_t monotonic_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <int64_t> t.tv_sec * 1000000000 + t.tv_nsec


cdef inline uint16_t u16(const uint8_t *at) noexcept nogil:
    cdef uint16_t out
    memcpy(&out, at, 2)
    return out


cdef inline uint32_t u32(const uint8_t *at) noexcept nogil:
    cdef uint32_t out
    memcpy(&out, at, 4)
    return out


cdef inline int64_t i64(const uint8_t *at) noexcept nogil:
    cdef int64_t out
    memcpy(&out, at, 8)
    return out


cdef inline double f64(const uint8_t *at) noexcept nogil:
    cdef double out
    memcpy(&out, at, 8)
    return out


cdef class Ingest:
    """Decodes telemetry into ``slots``.

    ``offsets`` i16[kinds, metrics]: a metric's place among the slots of an asset of that kind, -1 where
    the kind has no such metric. City time is ``origin_utc`` µs at CLOCK_MONOTONIC ``origin_mono`` ns,
    running at ``speed``. A sample more than ``tolerance`` µs ahead of it is refused.
    """

    def __cinit__(self, *args, **kwargs):
        memset(self.counts, 0, sizeof(self.counts))
        memset(self.latency, 0, sizeof(self.latency))
        memset(&self.tally, 0, sizeof(self.tally))

    def __init__(self, Slots slots, offsets, *, sessions=4096, origin_utc, origin_mono, speed=1.0, tolerance=2_000_000):
        cdef uint32_t size = 1
        self.slots = slots
        self.session_limit = sessions
        while size < 2 * self.session_limit:
            size *= 2
        self.hash_mask = size - 1
        self.sessions = <Session *> calloc(self.session_limit, sizeof(Session))
        self.hash = <int32_t *> malloc(size * sizeof(int32_t))
        if self.sessions == NULL or self.hash == NULL:
            raise MemoryError()
        self.rehash()
        self.origin_utc = origin_utc
        self.origin_mono = origin_mono
        self.speed = speed
        self.tolerance = tolerance
        table = np.ascontiguousarray(offsets, np.int16)
        self.kinds, self.metrics = table.shape
        if self.metrics > slots.table.metrics:
            raise ValueError("offsets name more metrics than the slots have rules for")
        self.offsets = <int16_t *> malloc(max(table.nbytes, 1))
        if self.offsets == NULL:
            raise MemoryError()
        cdef const int16_t[:, ::1] view = table
        if table.size:
            memcpy(self.offsets, &view[0, 0], table.nbytes)

    def __dealloc__(self):
        cdef uint32_t i
        if self.sessions != NULL:
            for i in range(self.session_count):
                free(self.sessions[i].entries)
        free(self.sessions)
        free(self.hash)
        free(self.offsets)

    # -- sessions

    cdef Session *find(self, uint32_t id) noexcept nogil:
        cdef uint32_t at = (id * <uint32_t> 2654435769) & self.hash_mask
        cdef int32_t i
        while True:
            i = self.hash[at]
            if i < 0:
                return NULL
            if self.sessions[i].id == id:
                return &self.sessions[i]
            at = (at + 1) & self.hash_mask

    cdef rehash(self):
        cdef uint32_t at
        cdef uint32_t i
        memset(self.hash, 0xFF, (self.hash_mask + 1) * sizeof(int32_t))
        for i in range(self.session_count):
            at = (self.sessions[i].id * <uint32_t> 2654435769) & self.hash_mask
            while self.hash[at] >= 0:
                at = (at + 1) & self.hash_mask
            self.hash[at] = i

    def open(self, uint32_t id, const uint32_t[::1] first_slot, const uint16_t[::1] kind, bytes key=b""):
        """Begin session ``id``: index i is the asset whose slots begin at ``first_slot[i]``, of ``kind[i]``.

        Only frames that come under ``key`` (a User-Id, at most 16 bytes; empty: whoever sends) belong to it. An asset
        whose kind has no metrics may have any first slot. Raises KeyError where the id is taken, ValueError for slots
        that are not there or a longer key, OverflowError at the limit.
        """
        cdef uint32_t i, n = first_slot.shape[0]
        if kind.shape[0] != n or n > 0xFFFF:
            raise ValueError("a session maps at most 65,535 assets")
        if len(key) > KEY_MAX:
            raise ValueError(f"a key's name here has at most {KEY_MAX} bytes")
        if self.find(id) != NULL:
            raise KeyError(f"session {id} is open already")
        if self.session_count == self.session_limit:
            raise OverflowError(f"{self.session_limit} sessions are open")
        for i in range(n):
            if kind[i] >= self.kinds or not self.has_slots(first_slot[i], kind[i]):
                raise ValueError(f"asset {i} of the session has no slots here")
        cdef uint64_t *entries = <uint64_t *> malloc(max(n, 1) * sizeof(uint64_t))
        if entries == NULL:
            raise MemoryError()
        for i in range(n):
            entries[i] = <uint64_t> kind[i] << 32 | first_slot[i]
        cdef Session *session = &self.sessions[self.session_count]
        memset(session, 0, sizeof(Session))
        session.id, session.size, session.entries, session.connection = id, n, entries, -1
        memcpy(session.key, <const char *> key, len(key))
        self.guarded = self.guarded or len(key) > 0
        self.session_count += 1
        self.rehash()

    cdef bint has_slots(self, uint64_t first_slot, uint16_t kind) noexcept nogil:
        cdef uint32_t metric
        cdef int16_t offset
        for metric in range(self.metrics):
            offset = self.offsets[kind * self.metrics + metric]
            if offset >= 0 and first_slot + offset >= self.slots.table.size:
                return False
        return True

    def close(self, uint32_t id, sent=None):
        """End session ``id``. ``sent``: what the sender counted; what never came is then counted lost."""
        cdef Session *session = self.find(id)
        cdef uint32_t missing
        if session == NULL:
            raise KeyError(id)
        if sent is not None:
            missing = <uint32_t> (<uint64_t> sent) - session.next
            if missing < <uint32_t> 0x80000000:
                self.counts[LOST] += missing
        free(session.entries)
        self.session_count -= 1
        session[0] = self.sessions[self.session_count]
        self.rehash()

    def session(self, uint32_t id):
        """(next sequence, samples received, samples lost) of session ``id``. Raises KeyError."""
        cdef Session *session = self.find(id)
        if session == NULL:
            raise KeyError(id)
        return session.next, session.received, session.lost

    def connection(self, uint32_t id):
        """The descriptor of the connection on which session ``id`` was heard last; -1 before. Raises KeyError."""
        cdef Session *session = self.find(id)
        if session == NULL:
            raise KeyError(id)
        return session.connection

    def strangers(self):
        """(key, descriptor) of connections whose frames belonged to no session of theirs, since the last call."""
        found = [(self.stranger_keys[i].decode(), self.stranger_connections[i]) for i in range(self.stranger_count)]
        self.stranger_count = 0
        return found

    # -- decoding

    cdef int64_t city_time(self, int64_t mono) noexcept nogil:
        return self.origin_utc + <int64_t> (<double> (mono - self.origin_mono) * self.speed) // 1000

    cdef void frame(self, const uint8_t *data, size_t size, const char *key, const msg_t *message) noexcept nogil:
        cdef Session *session
        cdef uint32_t n
        self.counts[FRAMES] += 1
        if size < HEADER:
            self.counts[TRUNCATED] += 1
            return
        if data[0] != WIRE_VERSION:
            self.counts[BAD_VERSION] += 1
            return
        if data[1] == SINGLE:
            if size != HEADER:
                self.counts[OVERSIZED] += 1
                return
            n = 1
        elif data[1] == COLUMNS:
            n = u16(data + 2)
            if n == 0 or n > COLUMNS_MAX:
                self.counts[BAD_COUNT] += 1
                return
            if size != HEADER + <size_t> n * (16 if u16(data + 12) == EACH_OWN_METRIC else 14):
                self.counts[BAD_LENGTH] += 1
                return
        else:
            self.counts[BAD_KIND] += 1
            return
        self.counts[RECEIVED] += n
        session = self.find(u32(data + 4))
        if session == NULL:
            self.counts[UNKNOWN_SESSION] += n
            self.note(key, message)
            return
        if session.key[0]:
            # Its number alone proves nothing: a session belongs to who opened it.
            if key == NULL or strncmp(key, session.key, sizeof(session.key)) != 0:
                self.counts[FOREIGN_SESSION] += n
                self.note(key, message)
                return
            if session.spoke != key and message != NULL:
                session.spoke = key
                session.connection = msg_get(message, SRCFD)
        if not self.follows(session, u32(data + 8), n):
            self.counts[REPLAYED] += n
            return
        session.received += n
        if n == 1 and data[1] == SINGLE:
            self.single(data, session)
        else:
            self.columns(data, session, n)

    cdef void note(self, const char *key, const msg_t *message) noexcept nogil:
        cdef int connection
        cdef uint32_t i
        if key == NULL or message == NULL or self.stranger_count == STRANGERS:
            return
        connection = msg_get(message, SRCFD)
        for i in range(self.stranger_count):
            if self.stranger_connections[i] == connection:
                return
        strncpy(self.stranger_keys[self.stranger_count], key, KEY_MAX)
        self.stranger_keys[self.stranger_count][KEY_MAX] = 0
        self.stranger_connections[self.stranger_count] = connection
        self.stranger_count += 1

    cdef bint follows(self, Session *session, uint32_t sequence, uint32_t n) noexcept nogil:
        # The sequence counts samples and wraps: a jump ahead is a loss, a step back is a replay.
        cdef uint32_t gap = sequence - session.next
        if gap >= <uint32_t> 0x80000000:
            return False
        if gap:
            session.lost += gap
            self.counts[LOST] += gap
        session.next = sequence + n
        return True

    cdef uint32_t check(self, Session *session, uint16_t index, uint16_t metric, double value, int64_t time) noexcept nogil:
        cdef uint64_t entry
        cdef int16_t offset
        cdef slots_rule *rule
        if index >= session.size:
            self.counts[UNKNOWN_INDEX] += 1
            return NO_SLOT
        entry = session.entries[index]
        offset = self.offsets[(entry >> 32) * self.metrics + metric] if metric < self.metrics else -1
        if offset < 0:
            self.counts[UNKNOWN_METRIC] += 1
            return NO_SLOT
        if not isfinite(value):
            self.counts[NOT_FINITE] += 1
            return NO_SLOT
        rule = &self.slots.table.rules[metric]
        if value < rule.low or value > rule.high:
            self.counts[OUT_OF_RANGE] += 1
            return NO_SLOT
        if time > self.latest:
            self.counts[FUTURE] += 1
            return NO_SLOT
        if time < 0:
            self.counts[BAD_TIME] += 1
            return NO_SLOT
        return <uint32_t> entry + offset

    cdef void single(self, const uint8_t *data, Session *session) noexcept nogil:
        cdef uint16_t metric = u16(data + 12)
        cdef int64_t time = i64(data + 16)
        cdef double value = f64(data + 24)
        cdef uint32_t slot = self.check(session, u16(data + 2), metric, value, time)
        if slot == NO_SLOT:
            return
        SLOTS_FETCH(&self.slots.table.records[slot])
        self.staged[self.staged_count] = Staged(slot, metric, time, value)
        self.staged_count += 1
        if self.staged_count == STAGE:
            self.flush()

    cdef void columns(self, const uint8_t *data, Session *session, uint32_t n) noexcept nogil:
        cdef uint32_t slot[COLUMNS_MAX]
        cdef uint32_t i
        cdef uint16_t metric
        cdef int64_t time
        cdef double value
        cdef columns_frame frame
        cdef columns_sender sender
        frame.n, frame.metric, frame.start = n, u16(data + 12), i64(data + 16)
        if frame.start < 0 or frame.start > self.latest + (<int64_t> 1 << 40):
            # Adding an offset could wrap: no sample of this frame has a time.
            self.counts[BAD_TIME if frame.start < 0 else FUTURE] += n
            return
        frame.values = data + HEADER
        frame.offsets = frame.values + 8 * <size_t> n
        frame.indexes = frame.offsets + 4 * <size_t> n
        frame.metrics = frame.indexes + 2 * <size_t> n if frame.metric == EACH_OWN_METRIC else NULL
        sender.entries, sender.assets = session.entries, session.size
        sender.offsets, sender.metrics, sender.latest = self.offsets, self.metrics, self.latest
        # What was staged before must be merged before: a slot's samples keep their order.
        self.flush()
        if columns_sound(&frame, &sender, &self.slots.table, slot):
            columns_merge(&frame, slot, &self.slots.table, &self.tally)
        else:
            for i in range(n):
                metric, value = columns_metric(&frame, i), columns_f64(frame.values, i)
                time = frame.start + columns_i32(frame.offsets, i)
                slot[i] = self.check(session, columns_u16(frame.indexes, i), metric, value, time)
                if slot[i] != NO_SLOT:
                    slots_merge(&self.slots.table, slot[i], metric, value, time, 1, &self.tally)
        if self.look:
            self.look = False
            self.measure(frame.start)

    cdef void flush(self) noexcept nogil:
        cdef uint32_t i
        cdef Staged *staged
        cdef slots_tally tally = self.tally
        if self.staged_count == 0:
            return
        for i in range(self.staged_count):
            staged = &self.staged[i]
            slots_merge(&self.slots.table, staged.slot, staged.metric, staged.value, staged.time, 1, &tally)
        self.tally = tally
        self.measure(self.staged[0].time)
        self.staged_count = 0

    cdef void measure(self, int64_t time) noexcept nogil:
        # Log-linear: 8 buckets an octave, so a percentile is known within 12 %.
        cdef int64_t age = self.city_time(monotonic_ns()) - time
        cdef int octave
        if age < 0:
            age = 0
        # A slow city makes an old sample older than an i64 can tell.
        age = <int64_t> fmin(<double> age / self.speed, 4e18)
        if age < 8:
            self.latency[age] += 1
            return
        octave = 63 - ondijon_clz(<uint64_t> age)
        self.latency[min((octave - 2) * 8 + ((age >> (octave - 3)) & 7), BUCKETS - 1)] += 1

    # -- the doors

    def drain(self, socket, uint32_t limit=65536):
        """Receive until ``socket`` (a zmq.Socket) is empty, ``limit`` frames or 2 ms; return how many came.

        The GIL is not held. Nobody else may touch the socket meanwhile. Raises zmq.ZMQError.
        """
        cdef void *handle = <void *> <size_t> socket.underlying
        cdef msg_t message
        cdef const char *key
        cdef int size, error = 0
        cdef uint32_t n = 0
        cdef int64_t began, mono
        if msg_recv == NULL:
            resolve_libzmq()
        with nogil:
            began = monotonic_ns()
            msg_init(&message)
            while n < limit:
                if n % CLOCK_EACH == 0:
                    mono = monotonic_ns()
                    if mono - began > DRAIN_MAX:
                        break
                    self.latest = self.city_time(mono) + self.tolerance
                    self.look = True
                size = msg_recv(&message, handle, DONTWAIT)
                if size < 0:
                    error = zmq_errno()
                    break
                n += 1
                if self.in_multipart or msg_more(&message):
                    self.counts[MULTIPART] += 0 if self.in_multipart else 1
                    self.in_multipart = msg_more(&message)
                else:
                    key = msg_gets(&message, b"User-Id") if self.guarded else NULL
                    self.frame(<const uint8_t *> msg_data(&message), size, key, &message)
            self.flush()
            msg_close(&message)
        if error and error != EAGAIN and error != EINTR:
            raise zmq.ZMQError(error)
        return n

    def drain_portable(self, socket, uint32_t limit=65536):
        """The same through pyzmq's own receive, where libzmq cannot be resolved: slower, same result."""
        cdef uint32_t n = 0
        while n < limit:
            try:
                parts = socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                break
            n += len(parts)
            if len(parts) > 1:
                self.counts[MULTIPART] += 1
            else:
                self.feed(parts[0].buffer, parts[0].get("User-Id").encode() if self.guarded else b"")
        return n

    def feed(self, const uint8_t[::1] frame not None, bytes key=b""):
        """Decode one frame that is already in memory and came under ``key``, into the table."""
        cdef uint8_t nothing = 0
        self.latest = self.city_time(monotonic_ns()) + self.tolerance
        self.look = True
        self.frame(&frame[0] if frame.shape[0] else &nothing, frame.shape[0], key, NULL)
        self.flush()

    def counters(self):
        """All counters by name, since the start."""
        self.counts[APPLIED_], self.counts[UNCHANGED_] = self.tally.applied, self.tally.unchanged
        self.counts[CONFLATED_], self.counts[LATE_] = self.tally.conflated, self.tally.late
        return {name: self.counts[i] for i, name in enumerate(COUNTERS_NAMES)}

    def latencies(self):
        """u64[256]: samples by age at the dirty set, in the buckets of core.histogram (real µs, sampled)."""
        out = np.empty(BUCKETS, np.uint64)
        cdef uint64_t[::1] view = out
        memcpy(&view[0], self.latency, sizeof(self.latency))
        return out
