cimport cython
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from core._fast.slots cimport Slots, slots_table, slots_tally

cdef extern from "columns.h" nogil:
    enum:
        COLUMNS_MAX

    ctypedef struct columns_frame:
        const uint8_t *values
        const uint8_t *offsets
        const uint8_t *indexes
        const uint8_t *metrics
        uint32_t n
        uint16_t metric
        int64_t start

    ctypedef struct columns_sender:
        const uint64_t *entries
        const int16_t *offsets
        uint32_t assets
        uint32_t metrics
        int64_t latest

    double columns_f64(const uint8_t *, size_t)
    int32_t columns_i32(const uint8_t *, size_t)
    uint16_t columns_u16(const uint8_t *, size_t)
    uint16_t columns_metric(const columns_frame *, size_t)
    bint columns_sound(const columns_frame *, const columns_sender *, const slots_table *, uint32_t *slot)
    void columns_merge(const columns_frame *, const uint32_t *slot, slots_table *, slots_tally *)

cdef extern from *:
    """
    typedef struct { _Alignas(8) unsigned char bytes[64]; } ondijon_msg_t;
    """
    ctypedef struct msg_t "ondijon_msg_t":
        pass

cdef enum:
    # Bytes of a key's name, as the door gives it to each connection.
    KEY_MAX = 16

cdef struct Session:
    uint32_t id
    uint32_t next
    uint32_t size
    uint64_t *entries
    uint64_t received
    uint64_t lost
    # The connection that was heard last: its descriptor, and where its key is kept.
    int connection
    const char *spoke
    char key[17]

cdef struct Staged:
    uint32_t slot
    uint16_t metric
    int64_t time
    double value

@cython.final
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
    cdef slots_tally tally
    cdef uint64_t latency[256]
    cdef Staged staged[64]
    cdef uint32_t staged_count
    cdef int64_t origin_utc
    cdef int64_t origin_mono
    cdef double speed
    cdef int64_t tolerance
    cdef int64_t latest
    cdef bint in_multipart
    cdef bint look
    cdef bint guarded
    cdef char stranger_keys[16][17]
    cdef int stranger_connections[16]
    cdef uint32_t stranger_count

    cdef rehash(self)
    cdef bint has_slots(self, uint64_t first_slot, uint16_t kind) noexcept nogil
    cdef int64_t city_time(self, int64_t mono) noexcept nogil
    cdef Session *find(self, uint32_t id) noexcept nogil
    cdef void frame(self, const uint8_t *data, size_t size, const char *key, const msg_t *message) noexcept nogil
    cdef void note(self, const char *key, const msg_t *message) noexcept nogil
    cdef void single(self, const uint8_t *data, Session *session) noexcept nogil
    cdef void columns(self, const uint8_t *data, Session *session, uint32_t n) noexcept nogil
    cdef bint follows(self, Session *session, uint32_t sequence, uint32_t n) noexcept nogil
    cdef uint32_t check(self, Session *session, uint16_t index, uint16_t metric, double value, int64_t time) noexcept nogil
    cdef void flush(self) noexcept nogil
    cdef void measure(self, int64_t time) noexcept nogil
