# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The limit: what the same frames cost at least over the same libzmq, and a sender that is never the slower side.

``Limit`` receives, validates and stores as the edge does (version, kind, length, session, sequence, index,
metric, range, time, late samples), into 32-byte records with prefetch, and does nothing else: no merge
rule, no change detection, no dirty set, no histogram. It is built on demand by bench.native, never shipped.
"""

from libc.math cimport isfinite
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

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
    int clock_nanosleep(int clock, int flags, const timespec *request, timespec *remain)
    int CLOCK_MONOTONIC
    int CLOCK_THREAD_CPUTIME_ID
    int TIMER_ABSTIME

cdef extern from "errno.h" nogil:
    int EAGAIN

cdef extern from "sys/prctl.h" nogil:
    int prctl(int option, unsigned long value, unsigned long, unsigned long, unsigned long)
    int PR_SET_TIMERSLACK

cdef extern from "sys/mman.h" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_HUGEPAGE

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **out, size_t alignment, size_t size)

cdef extern from *:
    """
    #define limit_prefetch(p) __builtin_prefetch((p), 1, 3)
    #define limit_likely(x) __builtin_expect(!!(x), 1)
    typedef struct { _Alignas(8) unsigned char bytes[64]; } limit_msg_t;
    """
    void limit_prefetch(const void *) noexcept nogil
    bint limit_likely(bint) noexcept nogil
    ctypedef struct msg_t "limit_msg_t":
        pass

ctypedef int (*init_t)(msg_t *) noexcept nogil
ctypedef int (*recv_t)(msg_t *, void *, int) noexcept nogil
ctypedef void *(*data_t)(msg_t *) noexcept nogil
ctypedef int (*more_t)(const msg_t *) noexcept nogil
ctypedef int (*send_t)(void *, const void *, size_t, int) noexcept nogil
ctypedef int (*errno_t)() noexcept nogil

cdef init_t msg_init = NULL
cdef init_t msg_close = NULL
cdef recv_t msg_recv = NULL
cdef data_t msg_data = NULL
cdef more_t msg_more = NULL
cdef send_t zmq_send = NULL
cdef errno_t zmq_errno = NULL

cdef enum:
    HEADER = 32
    STAGE = 64
    COLUMNS_MAX = 1024
    DONTWAIT = 1
    NO_SLOT = 0xFFFFFFFF
    TOLERANCE_US = 2000000


cdef _resolve():
    global msg_init, msg_close, msg_recv, msg_data, msg_more, zmq_send, zmq_errno
    from zmq.backend.cython import _zmq
    path = _zmq.__file__.encode()
    cdef void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD)
    msg_init = <init_t> dlsym(library, b"zmq_msg_init")
    msg_close = <init_t> dlsym(library, b"zmq_msg_close")
    msg_recv = <recv_t> dlsym(library, b"zmq_msg_recv")
    msg_data = <data_t> dlsym(library, b"zmq_msg_data")
    msg_more = <more_t> dlsym(library, b"zmq_msg_more")
    zmq_send = <send_t> dlsym(library, b"zmq_send")
    zmq_errno = <errno_t> dlsym(library, b"zmq_errno")
    if not (msg_init and msg_close and msg_recv and msg_data and msg_more and zmq_send and zmq_errno):
        raise OSError("libzmq's functions are not to be found behind pyzmq's backend")


_resolve()


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


cdef inline int32_t i32(const uint8_t *at) noexcept nogil:
    cdef int32_t out
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


cdef struct Record:
    double value
    int64_t time
    uint64_t count
    uint64_t flags

cdef struct Session:
    uint32_t id
    uint32_t next
    uint32_t size
    uint64_t *entries

cdef struct Staged:
    uint32_t slot
    int64_t time
    double value

cdef struct Rule:
    double low
    double high


cdef class Limit:
    """The tight loop. ``first_slot`` u32[sessions, assets]; ``offsets`` i16[kinds, metrics]; all assets of kind 0.

    City time is ``origin_utc`` µs at CLOCK_MONOTONIC 0.
    """

    cdef Record *records
    cdef uint32_t slots
    cdef Session *sessions
    cdef uint32_t session_count
    cdef int32_t *hash
    cdef uint32_t hash_mask
    cdef int16_t *offsets
    cdef uint32_t metrics
    cdef Rule *rules
    cdef Staged staged[STAGE]
    cdef uint32_t staged_count
    cdef int64_t origin_utc
    cdef int64_t now
    cdef int64_t *ages
    cdef uint64_t ages_count
    cdef uint64_t ages_limit
    cdef readonly uint64_t stored
    cdef readonly uint64_t late
    cdef readonly uint64_t lost
    cdef readonly uint64_t refused

    def __init__(self, uint32_t slots, ids, first_slot, offsets, low, high, int64_t origin_utc, uint64_t ages=0):
        cdef void *memory = NULL
        cdef size_t size = <size_t> slots * sizeof(Record)
        cdef uint32_t s, i, at
        if posix_memalign(&memory, 2097152, size):
            raise MemoryError()
        madvise(memory, size, MADV_HUGEPAGE)
        memset(memory, 0, size)
        self.records, self.slots, self.origin_utc = <Record *> memory, slots, origin_utc
        self.metrics = offsets.shape[1]
        self.offsets = <int16_t *> calloc(self.metrics, sizeof(int16_t))
        self.rules = <Rule *> calloc(self.metrics, sizeof(Rule))
        for i in range(self.metrics):
            self.offsets[i] = offsets[0, i]
            self.rules[i] = Rule(low[i], high[i])
        self.session_count = len(ids)
        # As large as the edge's own for its 4,096 sessions.
        self.hash_mask = 8191
        self.hash = <int32_t *> malloc((self.hash_mask + 1) * sizeof(int32_t))
        memset(self.hash, 0xFF, (self.hash_mask + 1) * sizeof(int32_t))
        self.sessions = <Session *> calloc(self.session_count, sizeof(Session))
        for s in range(self.session_count):
            self.sessions[s] = Session(ids[s], 0, first_slot.shape[1], <uint64_t *> malloc(first_slot.shape[1] * 8))
            for i in range(self.sessions[s].size):
                self.sessions[s].entries[i] = first_slot[s, i]
            at = (self.sessions[s].id * <uint32_t> 2654435769) & self.hash_mask
            while self.hash[at] >= 0:
                at = (at + 1) & self.hash_mask
            self.hash[at] = s
        self.ages_limit = ages
        self.ages = <int64_t *> calloc(max(ages, 1), 8)

    def __dealloc__(self):
        cdef uint32_t s
        for s in range(self.session_count):
            free(self.sessions[s].entries)
        free(self.sessions)
        free(self.hash)
        free(self.records)
        free(self.offsets)
        free(self.rules)
        free(self.ages)

    cdef inline Session *find(self, uint32_t id) noexcept nogil:
        cdef uint32_t at = (id * <uint32_t> 2654435769) & self.hash_mask
        cdef int32_t i
        while True:
            i = self.hash[at]
            if i < 0:
                return NULL
            if self.sessions[i].id == id:
                return &self.sessions[i]
            at = (at + 1) & self.hash_mask

    cdef inline uint32_t check(self, Session *session, uint16_t index, uint16_t metric, double value, int64_t time) noexcept nogil:
        cdef uint64_t entry
        cdef int16_t offset
        if limit_likely(index < session.size and metric < self.metrics):
            entry = session.entries[index]
            offset = self.offsets[(entry >> 32) * self.metrics + metric]
            if limit_likely(
                offset >= 0 and isfinite(value)
                and value >= self.rules[metric].low and value <= self.rules[metric].high
                and time <= self.now + TOLERANCE_US and time >= 0
            ):
                return <uint32_t> entry + offset
        self.refused += 1
        return NO_SLOT

    cdef inline void store(self, uint32_t slot, double value, int64_t time) noexcept nogil:
        cdef Record *record = &self.records[slot]
        if time < record.time:
            self.late += 1
            return
        record.value = value
        record.time = time
        self.stored += 1

    cdef void flush(self) noexcept nogil:
        cdef uint32_t i
        cdef int64_t now
        for i in range(self.staged_count):
            self.store(self.staged[i].slot, self.staged[i].value, self.staged[i].time)
        if self.ages_limit and self.staged_count:
            now = self.origin_utc + monotonic_ns() // 1000
            for i in range(self.staged_count):
                self.note(now - self.staged[i].time)
        self.staged_count = 0

    cdef inline void note(self, int64_t age) noexcept nogil:
        if self.ages_count < self.ages_limit:
            self.ages[self.ages_count] = age
            self.ages_count += 1

    cdef inline void decode(self, const uint8_t *data, size_t size) noexcept nogil:
        cdef Session *session
        cdef uint32_t n, gap, slot
        if not limit_likely(size >= HEADER and data[0] == 1):
            self.refused += 1
            return
        if data[1] == 1 and size == HEADER:
            n = 1
        elif data[1] == 2:
            n = u16(data + 2)
            if n == 0 or n > COLUMNS_MAX or size != HEADER + <size_t> n * (16 if u16(data + 12) == 0xFFFF else 14):
                self.refused += 1
                return
        else:
            self.refused += 1
            return
        session = self.find(u32(data + 4))
        if session == NULL:
            self.refused += n
            return
        gap = u32(data + 8) - session.next
        if gap:
            if gap >= <uint32_t> 0x80000000:
                self.refused += n
                return
            self.lost += gap
        session.next = u32(data + 8) + n
        if data[1] == 2:
            self.columns(data, session, n)
            return
        slot = self.check(session, u16(data + 2), u16(data + 12), f64(data + 24), i64(data + 16))
        if slot != NO_SLOT:
            limit_prefetch(&self.records[slot])
            self.staged[self.staged_count] = Staged(slot, i64(data + 16), f64(data + 24))
            self.staged_count += 1
            if self.staged_count == STAGE:
                self.flush()

    cdef void columns(self, const uint8_t *data, Session *session, uint32_t n) noexcept nogil:
        cdef uint32_t slot[COLUMNS_MAX]
        cdef uint32_t i
        cdef uint16_t metric = u16(data + 12)
        cdef bint own = metric == 0xFFFF
        cdef int64_t start = i64(data + 16), now
        cdef const uint8_t *values = data + HEADER
        cdef const uint8_t *offsets = values + 8 * <size_t> n
        cdef const uint8_t *indexes = offsets + 4 * <size_t> n
        cdef const uint8_t *metrics = indexes + 2 * <size_t> n
        if start < 0 or start > self.now + (<int64_t> 1 << 40):
            self.refused += n
            return
        self.flush()
        for i in range(n):
            if own:
                metric = u16(metrics + 2 * i)
            slot[i] = self.check(session, u16(indexes + 2 * i), metric, f64(values + 8 * i), start + i32(offsets + 4 * i))
            if slot[i] != NO_SLOT:
                limit_prefetch(&self.records[slot[i]])
        for i in range(n):
            if slot[i] != NO_SLOT:
                self.store(slot[i], f64(values + 8 * i), start + i32(offsets + 4 * i))
        if self.ages_limit:
            now = self.origin_utc + monotonic_ns() // 1000
            for i in range(n):
                self.note(now - start - i32(offsets + 4 * i))

    def receive(self, socket, uint64_t frames):
        """Receive ``frames`` frames, or until the socket's RCVTIMEO passes without one; return how many came."""
        cdef void *handle = <void *> <size_t> socket.underlying
        cdef msg_t message
        cdef uint64_t n = 0
        cdef int size
        with nogil:
            self.now = self.origin_utc + monotonic_ns() // 1000
            msg_init(&message)
            while n < frames:
                size = msg_recv(&message, handle, DONTWAIT)
                if size < 0:
                    self.flush()
                    size = msg_recv(&message, handle, 0)
                    if size < 0:
                        break
                    self.now = self.origin_utc + monotonic_ns() // 1000
                n += 1
                if limit_likely(not msg_more(&message)):
                    self.decode(<const uint8_t *> msg_data(&message), size)
                else:
                    self.refused += 1
            self.flush()
            msg_close(&message)
        return n

    def take_ages(self):
        """i64[n] µs: the age of each sample when it was stored, since the last call."""
        out = np.empty(self.ages_count, np.int64)
        cdef int64_t[::1] view = out
        if self.ages_count:
            memcpy(&view[0], self.ages, self.ages_count * 8)
        self.ages_count = 0
        return out


def send(
    sockets,
    const uint8_t[::1] frames,
    const int64_t[::1] bounds,
    uint64_t count,
    *,
    uint32_t sequence_step=0,
    int64_t time_step=0,
    const uint32_t[::1] socket_of=None,
    const int64_t[::1] due_ns=None,
    int64_t lap_ns=0,
    int64_t start_ns=0,
    int64_t origin_utc=0,
):
    """Send ``count`` frames from the ring ``frames``; frame i lies from ``bounds[i]`` to ``bounds[i + 1]``.

    At each lap the sequence grows by ``sequence_step`` and the time by ``time_step`` µs. With ``due_ns`` the
    loop is open: frame i leaves at ``start_ns + lap * lap_ns + due_ns[i]`` of CLOCK_MONOTONIC, or as soon after
    as it can, and bears that intended time. Steps of 0 leave the frames as they are.
    Returns (frames sent, latest lateness in ns).
    """
    cdef uint32_t ring = bounds.shape[0] - 1, at = 0, lap = 0, sequence
    cdef uint64_t i
    cdef int64_t due, late = 0, time, now
    cdef size_t size
    cdef int sent
    cdef bint patch = sequence_step != 0, paced = due_ns is not None, many = socket_of is not None
    cdef uint8_t frame[32768]
    cdef void **handles = <void **> malloc(len(sockets) * sizeof(void *))
    for at, socket in enumerate(sockets):
        handles[at] = <void *> <size_t> socket.underlying
    at = 0
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    with nogil:
        i = 0
        while i < count:
            size = bounds[at + 1] - bounds[at]
            memcpy(frame, &frames[bounds[at]], size)
            if paced:
                due = start_ns + lap * lap_ns + due_ns[at]
                now = wait_until(due)
                late = now - due if now - due > late else late
            if patch:
                sequence = u32(frame + 8) + lap * sequence_step
                memcpy(frame + 8, &sequence, 4)
                time = origin_utc + due // 1000 if paced else i64(frame + 16) + lap * time_step
                memcpy(frame + 16, &time, 8)
            sent = zmq_send(handles[socket_of[at] if many else 0], frame, size, 0)
            if sent < 0:
                break
            i += 1
            at += 1
            if at == ring:
                at = 0
                lap += 1
    free(handles)
    return i, late


cdef int64_t wait_until(int64_t due) noexcept nogil:
    # Asleep, not spinning: libzmq's own thread needs this core too. The wake-up is late by some tens of µs,
    # then what is due leaves in a burst, each frame with its own intended time: the lateness counts.
    cdef timespec t
    cdef int64_t now = monotonic_ns()
    if now < due:
        t.tv_sec = due // 1000000000
        t.tv_nsec = due % 1000000000
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)
        now = monotonic_ns()
    return now


def probe():
    """CPU ns of a fixed piece of work (dependent reads over 4 MB, multiplications): how fast this core is now."""
    cdef uint32_t mask = (1 << 20) - 1, i
    cdef uint32_t at = 1
    cdef uint64_t sum = 0
    cdef timespec t0, t1
    cdef uint32_t *table = <uint32_t *> malloc((mask + 1) * sizeof(uint32_t))
    for i in range(mask + 1):
        table[i] = i * <uint32_t> 2654435769 + 12345
    with nogil:
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t0)
        for i in range(400000):
            at = (table[at & mask] + i) * <uint32_t> 1664525
            sum += at
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t1)
    free(table)
    return (t1.tv_sec - t0.tv_sec) * 1000000000 + t1.tv_nsec - t0.tv_nsec + (1 if sum == 0 else 0)
