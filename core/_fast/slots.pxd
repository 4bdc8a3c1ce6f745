from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef struct Record:
    double value
    int64_t time
    double reported
    uint32_t count
    uint32_t flags

cdef struct Rule:
    double deadband
    double low
    double high
    uint32_t refresh
    uint8_t merge

cdef enum Outcome:
    APPLIED
    UNCHANGED
    CONFLATED
    LATE

cdef class Slots:
    cdef Record *records
    cdef uint64_t *dirty
    cdef Rule *rules
    cdef readonly uint32_t capacity
    cdef readonly uint32_t size
    cdef readonly uint32_t metrics
    cdef readonly uint32_t changed
    cdef Py_ssize_t view_shape[1]

    cdef Outcome merge(self, uint32_t slot, uint16_t metric, double value, int64_t time, uint32_t count) noexcept nogil
    cdef uint32_t take(self, uint32_t limit, uint32_t *slot, double *value, int64_t *time, uint32_t *count) noexcept nogil
