from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from core._fast.slots cimport Slots

cdef struct Session:
    uint32_t id
    uint32_t next
    uint32_t size
    uint64_t *entries
    uint64_t received
    uint64_t lost

cdef struct Staged:
    uint32_t slot
    uint16_t metric
    int64_t time
    double value

cdef class Ingest:
    cdef readonly Slots slots
    cdef Session *sessions
    cdef uint32_t session_limit
    cdef uint32_t session_count
    cdef int32_t *hash
    cdef uint32_t hash_mask
    cdef int16_t *offsets
    cdef uint32_t kinds
    cdef uint32_t metrics
    cdef uint64_t counts[32]
    cdef uint64_t latency[256]
    cdef Staged staged[64]
    cdef uint32_t staged_count
    cdef int64_t oldest
    cdef int64_t origin_utc
    cdef int64_t origin_mono
    cdef double speed
    cdef int64_t tolerance
    cdef int64_t now
    cdef bint in_multipart

    cdef rehash(self)
    cdef bint has_slots(self, uint64_t first_slot, uint16_t kind) noexcept nogil
    cdef int64_t read_clock(self) noexcept nogil
    cdef Session *find(self, uint32_t id) noexcept nogil
    cdef void frame(self, const uint8_t *data, size_t size) noexcept nogil
    cdef void single(self, const uint8_t *data, Session *session) noexcept nogil
    cdef void columns(self, const uint8_t *data, Session *session, uint32_t n) noexcept nogil
    cdef bint follows(self, Session *session, uint32_t sequence, uint32_t n) noexcept nogil
    cdef uint32_t check(self, Session *session, uint16_t index, uint16_t metric, double value, int64_t time) noexcept nogil
    cdef void count_outcome(self, int outcome) noexcept nogil
    cdef void flush(self) noexcept nogil
    cdef void measure(self, int64_t time) noexcept nogil
