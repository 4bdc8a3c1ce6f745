cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "slots.h" nogil:
    enum:
        SLOTS_DIRTY
        SLOTS_STALE
        SLOTS_VALID
        SLOTS_MERGE_SHIFT
        SLOTS_MERGE_MASK
        SLOTS_REPORTED_UNIT
        SLOTS_LAST
        SLOTS_NEVER

    ctypedef struct slots_record:
        double value
        int64_t time
        double reported
        uint32_t count
        uint32_t flags

    ctypedef struct slots_rule:
        double deadband
        double low
        double high
        uint32_t refresh
        uint8_t merge

    ctypedef struct slots_table:
        slots_record *records
        uint64_t *dirty
        slots_rule *rules
        uint32_t capacity
        uint32_t size
        uint32_t metrics
        uint32_t changed

    ctypedef struct slots_tally:
        uint64_t applied
        uint64_t unchanged
        uint64_t conflated
        uint64_t late

    void SLOTS_FETCH(const void *)
    void slots_mark(slots_table *, uint32_t slot, uint32_t newly)
    void slots_merge(
        slots_table *, uint32_t slot, uint16_t metric, double value, int64_t time, uint32_t count, slots_tally *
    )
    uint32_t slots_take(slots_table *, uint32_t limit, uint32_t *slot, double *value, int64_t *time, uint32_t *count)
    const char *slots_fault(
        const slots_table *, size_t n, const uint32_t *slot, const double *value, const int64_t *time,
        const uint32_t *count, int64_t latest
    )
    uint64_t slots_apply(
        slots_table *, size_t n, const uint32_t *slot, const double *value, const int64_t *time,
        const uint32_t *count, const uint16_t *metric
    )

@cython.final
cdef class Slots:
    cdef slots_table table
    cdef Py_ssize_t view_shape[1]
