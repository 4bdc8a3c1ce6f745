"""The slots of a table: 32-byte records, merged in place, with the set of those that changed.

Both ends of the hand-over use this: the edge stages samples in it, the kernel keeps its record in it.
The dirty set is a bitmap, so what is collected comes out in slot order: the reader on the other side
then walks memory forward, which is worth more than the cost of the scan.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import numpy as np

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **out, size_t alignment, size_t size)

cdef extern from "sys/mman.h" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_HUGEPAGE

cdef enum:
    HUGE_PAGE = 2097152

#: One record, as numpy sees it.
RECORD = np.dtype(
    [("value", "<f8"), ("time", "<i8"), ("reported", "<f8"), ("count", "<u4"), ("flags", "<u4")]
)
FLAG_STALE = SLOTS_STALE
FLAG_VALID = SLOTS_VALID


cdef class Slots:
    """``capacity`` records for metrics whose ``rules`` are known.

    ``deadband``, ``low``, ``high`` f64[metrics]; ``merge`` u8[metrics] (core.declaration.Merge);
    ``refresh_s`` f64[metrics]: an unchanged value is reported again after so long, 0 for never.
    """

    def __cinit__(self, uint32_t capacity, *args, **kwargs):
        cdef size_t size = max(<size_t> capacity, 1) * sizeof(slots_record)
        cdef void *memory = NULL
        if posix_memalign(&memory, HUGE_PAGE if size >= HUGE_PAGE else 64, size):
            raise MemoryError()
        self.table.records = <slots_record *> memory
        if size >= HUGE_PAGE:
            # A random access to a large table is mostly the price of its page walk.
            madvise(memory, size, MADV_HUGEPAGE)
        memset(memory, 0, size)
        self.table.dirty = <uint64_t *> calloc(capacity // 64 + 1, sizeof(uint64_t))
        if self.table.dirty == NULL:
            raise MemoryError()
        self.table.capacity = capacity

    def __init__(self, capacity, *, deadband, low, high, merge, refresh_s):
        cdef uint32_t i, refresh
        cdef uint32_t n = len(deadband)
        self.table.rules = <slots_rule *> calloc(max(n, 1), sizeof(slots_rule))
        if self.table.rules == NULL:
            raise MemoryError()
        self.table.metrics = n
        for i in range(n):
            refresh = <uint32_t> (refresh_s[i] * 1e6 / (1 << SLOTS_REPORTED_UNIT)) if refresh_s[i] else SLOTS_NEVER
            self.table.rules[i] = slots_rule(deadband[i], low[i], high[i], refresh, merge[i])

    def __dealloc__(self):
        free(self.table.records)
        free(self.table.dirty)
        free(self.table.rules)

    @property
    def capacity(self):
        """Slots there is room for."""
        return self.table.capacity

    @property
    def size(self):
        """Slots there are."""
        return self.table.size

    @property
    def metrics(self):
        """Metrics there are rules for."""
        return self.table.metrics

    @property
    def changed(self):
        """Slots that changed since they were last collected."""
        return self.table.changed

    def extend(self, const uint16_t[::1] metric):
        """Add a slot for each entry of ``metric`` u16[n]. Raises ValueError beyond the capacity."""
        cdef uint32_t i
        cdef slots_table *table = &self.table
        if <size_t> table.size + metric.shape[0] > table.capacity:
            raise ValueError(f"{table.size} + {metric.shape[0]} slots exceed the capacity of {table.capacity}")
        for i in range(metric.shape[0]):
            if metric[i] >= table.metrics:
                raise ValueError(f"metric {metric[i]} has no rule")
        for i in range(metric.shape[0]):
            table.records[table.size + i].flags = <uint32_t> table.rules[metric[i]].merge << SLOTS_MERGE_SHIFT
        table.size += metric.shape[0]

    def collect(self, uint32_t[::1] slot, double[::1] value, int64_t[::1] time, uint32_t[::1] count):
        """Move the dirty set into the columns, in slot order; return how many. What does not fit stays dirty."""
        cdef uint32_t n, limit = min(slot.shape[0], value.shape[0], time.shape[0], count.shape[0])
        if limit == 0:
            return 0
        with nogil:
            n = slots_take(&self.table, limit, &slot[0], &value[0], &time[0], &count[0])
        return n

    def apply(
        self,
        const uint32_t[::1] slot,
        const double[::1] value,
        const int64_t[::1] time,
        const uint32_t[::1] count,
        const uint16_t[::1] metric,
        int64_t latest,
    ):
        """Merge a handed-over batch; ``metric`` u16[size] is this table's own map of slots.

        Returns how many were late. The whole batch is checked before any store: raises ValueError, with
        the reason as its text, for a slot out of range, a value that is not finite, a time after
        ``latest`` µs or a count of zero. The caller owns the arrays: nobody may change them meanwhile.
        """
        cdef const char *fault
        cdef uint64_t late = 0
        cdef size_t n = slot.shape[0]
        if value.shape[0] != n or time.shape[0] != n or count.shape[0] != n or metric.shape[0] < self.table.size:
            raise ValueError("length")
        if n == 0:
            return 0
        with nogil:
            fault = slots_fault(&self.table, n, &slot[0], &value[0], &time[0], &count[0], latest)
            if fault == NULL:
                late = slots_apply(&self.table, n, &slot[0], &value[0], &time[0], &count[0], &metric[0])
        if fault != NULL:
            raise ValueError(fault.decode())
        return late

    def mark_all(self):
        """Make every slot with a latest value dirty: the other side starts anew and needs them all.

        Windows (MAX, SUM, ANY) stay out: what was handed over once must not count twice.
        """
        cdef uint32_t slot, flags
        cdef slots_record *record
        with nogil:
            for slot in range(self.table.size):
                record = &self.table.records[slot]
                flags = record.flags
                if (
                    flags & SLOTS_VALID
                    and not flags & SLOTS_DIRTY
                    and (flags >> SLOTS_MERGE_SHIFT) & SLOTS_MERGE_MASK == SLOTS_LAST
                ):
                    record.flags |= SLOTS_DIRTY
                    record.count += record.count == 0
                    slots_mark(&self.table, slot, 1)

    def sweep(self, const uint16_t[::1] metric, const int64_t[::1] stale_after, int64_t now):
        """Mark stale what is older than ``stale_after`` i64[metrics] µs (0: never); return how many are."""
        cdef uint32_t slot, stale = 0
        cdef slots_record *record
        if metric.shape[0] < self.table.size or stale_after.shape[0] < self.table.metrics:
            raise ValueError("length")
        with nogil:
            for slot in range(self.table.size):
                record = &self.table.records[slot]
                if (
                    stale_after[metric[slot]]
                    and record.flags & SLOTS_VALID
                    and now - record.time > stale_after[metric[slot]]
                ):
                    record.flags |= SLOTS_STALE
                    stale += 1
        return stale

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self.view_shape[0] = <Py_ssize_t> self.table.capacity * sizeof(slots_record)
        buffer.buf = self.table.records
        buffer.obj = self
        buffer.len = self.view_shape[0]
        buffer.itemsize = 1
        buffer.readonly = 0
        buffer.format = NULL
        buffer.ndim = 1
        buffer.shape = self.view_shape
        buffer.strides = NULL
        buffer.suboffsets = NULL
        buffer.internal = NULL

    def records_array(self):
        """The records as a structured array (RECORD), ``size`` long: a window on the memory, not a copy."""
        return np.frombuffer(self, dtype=RECORD)[: self.table.size]
