"""The slots of a table: 32-byte records, merged in place, with the set of those that changed.

Both ends of the hand-over use this: the edge stages samples in it, the kernel keeps its record in it.
The dirty set is a bitmap, so what is collected comes out in slot order: the reader on the other side
then walks memory forward, which is worth more than the cost of the scan.
"""

from libc.math cimport fabs, isfinite
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import numpy as np

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **out, size_t alignment, size_t size)

cdef extern from "sys/mman.h" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_HUGEPAGE

cdef extern from *:
    """
    #define ondijon_prefetch(p) __builtin_prefetch((p), 1, 3)
    #define ondijon_ctz(x) __builtin_ctzll(x)
    """
    void ondijon_prefetch(const void *) noexcept nogil
    int ondijon_ctz(uint64_t) noexcept nogil

# Flags of a record. Bits 4-5 hold the merge, bits 16-31 when it was last reported (units of 2**22 us).
cdef enum:
    DIRTY = 1
    STALE = 2
    BAD = 4
    VALID = 8
    MERGE_SHIFT = 4
    MERGE_MASK = 3
    WINDOW = 64
    REPORTED_SHIFT = 16

cdef enum:
    LAST = 0
    MAX = 1
    SUM = 2
    ANY = 3

cdef enum:
    REPORTED_UNIT = 22
    HUGE_PAGE = 2097152
    AHEAD = 12

#: One record, as numpy sees it.
RECORD = np.dtype(
    [("value", "<f8"), ("time", "<i8"), ("reported", "<f8"), ("count", "<u4"), ("flags", "<u4")]
)
FLAG_STALE = STALE
FLAG_VALID = VALID


cdef class Slots:
    """``capacity`` records for metrics whose ``rules`` are known.

    ``deadband``, ``low``, ``high`` f64[metrics]; ``merge`` u8[metrics] (core.declaration.Merge);
    ``refresh_s`` f64[metrics]: an unchanged value is reported again after so long, 0 for never.
    """

    def __cinit__(self, uint32_t capacity, *args, **kwargs):
        cdef size_t size = max(<size_t> capacity, 1) * sizeof(Record)
        cdef void *memory = NULL
        if posix_memalign(&memory, HUGE_PAGE if size >= HUGE_PAGE else 64, size):
            raise MemoryError()
        self.records = <Record *> memory
        if size >= HUGE_PAGE:
            # A random access to a large table is mostly the price of its page walk.
            madvise(memory, size, MADV_HUGEPAGE)
        memset(memory, 0, size)
        self.dirty = <uint64_t *> calloc(capacity // 64 + 1, sizeof(uint64_t))
        if self.dirty == NULL:
            raise MemoryError()
        self.capacity = capacity

    def __init__(self, capacity, *, deadband, low, high, merge, refresh_s):
        cdef uint32_t i
        cdef uint32_t n = len(deadband)
        self.rules = <Rule *> calloc(max(n, 1), sizeof(Rule))
        if self.rules == NULL:
            raise MemoryError()
        self.metrics = n
        for i in range(n):
            self.rules[i].deadband = deadband[i]
            self.rules[i].low = low[i]
            self.rules[i].high = high[i]
            self.rules[i].merge = merge[i]
            self.rules[i].refresh = <uint32_t> (refresh_s[i] * 1e6 / (1 << REPORTED_UNIT)) if refresh_s[i] else 65536

    def __dealloc__(self):
        free(self.records)
        free(self.dirty)
        free(self.rules)

    def extend(self, const uint16_t[::1] metric):
        """Add a slot for each entry of ``metric`` u16[n]. Raises ValueError beyond the capacity."""
        cdef uint32_t i, slot
        if <size_t> self.size + metric.shape[0] > self.capacity:
            raise ValueError(f"{self.size} + {metric.shape[0]} slots exceed the capacity of {self.capacity}")
        for i in range(metric.shape[0]):
            if metric[i] >= self.metrics:
                raise ValueError(f"metric {metric[i]} has no rule")
            slot = self.size + i
            self.records[slot].flags = <uint32_t> self.rules[metric[i]].merge << MERGE_SHIFT
        self.size += metric.shape[0]

    cdef Outcome merge(self, uint32_t slot, uint16_t metric, double value, int64_t time, uint32_t count) noexcept nogil:
        cdef Record *record = &self.records[slot]
        cdef uint32_t flags = record.flags
        cdef uint32_t how = (flags >> MERGE_SHIFT) & MERGE_MASK
        cdef uint32_t age
        if how == LAST:
            if flags & VALID and time < record.time:
                return LATE
            record.value = value
            record.time = time
            record.count += count
            flags &= ~<uint32_t> STALE
            record.flags = flags
            if flags & DIRTY:
                return CONFLATED
            if flags & VALID and fabs(value - record.reported) <= self.rules[metric].deadband:
                age = (<uint32_t> (time >> REPORTED_UNIT) - (flags >> REPORTED_SHIFT)) & 0xFFFF
                if age < self.rules[metric].refresh:
                    return UNCHANGED
        else:
            if not flags & WINDOW:
                record.value = value if how != ANY else <double> (value != 0)
                record.time = time if not flags & VALID or time > record.time else record.time
                record.count = count
                flags |= WINDOW
            else:
                if how == SUM:
                    record.value += value
                elif how == MAX:
                    record.value = value if value > record.value else record.value
                elif value != 0:
                    record.value = 1
                record.time = time if time > record.time else record.time
                record.count += count
            flags &= ~<uint32_t> STALE
            record.flags = flags
            if flags & DIRTY:
                return CONFLATED
        record.flags = flags | DIRTY | VALID
        self.dirty[slot >> 6] |= <uint64_t> 1 << (slot & 63)
        self.changed += 1
        return APPLIED

    cdef uint32_t take(self, uint32_t limit, uint32_t *slot, double *value, int64_t *time, uint32_t *count) noexcept nogil:
        cdef uint32_t n = 0, at, word, words = (self.size + 63) >> 6
        cdef uint64_t bits
        cdef Record *record
        for word in range(words):
            bits = self.dirty[word]
            while bits:
                if n == limit:
                    self.changed -= n
                    return n
                at = (word << 6) + ondijon_ctz(bits)
                bits &= bits - 1
                self.dirty[word] = bits
                record = &self.records[at]
                slot[n] = at
                value[n] = record.value
                time[n] = record.time
                count[n] = record.count
                record.reported = record.value
                record.count = 0
                record.flags = (
                    (record.flags & 0xFFFF & ~<uint32_t> (DIRTY | WINDOW))
                    | ((<uint32_t> (record.time >> REPORTED_UNIT) & 0xFFFF) << REPORTED_SHIFT)
                )
                n += 1
        self.changed -= n
        return n

    def collect(self, uint32_t[::1] slot, double[::1] value, int64_t[::1] time, uint32_t[::1] count):
        """Move the dirty set into the columns, in slot order; return how many. What does not fit stays dirty."""
        cdef uint32_t n, limit = min(slot.shape[0], value.shape[0], time.shape[0], count.shape[0])
        if limit == 0:
            return 0
        with nogil:
            n = self.take(limit, &slot[0], &value[0], &time[0], &count[0])
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
        cdef uint32_t i, n = slot.shape[0], late = 0
        cdef int bad = 0
        if value.shape[0] != n or time.shape[0] != n or count.shape[0] != n or metric.shape[0] < self.size:
            raise ValueError("length")
        with nogil:
            for i in range(n):
                if slot[i] >= self.size:
                    bad = 1
                    break
                if not isfinite(value[i]):
                    bad = 2
                    break
                if time[i] > latest or time[i] < 0:
                    bad = 3
                    break
                if count[i] == 0:
                    bad = 4
                    break
            if not bad:
                for i in range(n):
                    if i + AHEAD < n:
                        ondijon_prefetch(&self.records[slot[i + AHEAD]])
                    if self.merge(slot[i], metric[slot[i]], value[i], time[i], count[i]) == LATE:
                        late += 1
        if bad:
            raise ValueError(("slot", "not_finite", "time", "count")[bad - 1])
        return late

    def mark_all(self):
        """Make every slot with a latest value dirty: the other side starts anew and needs them all.

        Windows (MAX, SUM, ANY) stay out: what was handed over once must not count twice.
        """
        cdef uint32_t slot, flags
        with nogil:
            for slot in range(self.size):
                flags = self.records[slot].flags
                if flags & VALID and not flags & DIRTY and (flags >> MERGE_SHIFT) & MERGE_MASK == LAST:
                    self.records[slot].flags |= DIRTY
                    self.records[slot].count += self.records[slot].count == 0
                    self.dirty[slot >> 6] |= <uint64_t> 1 << (slot & 63)
                    self.changed += 1

    def sweep(self, const uint16_t[::1] metric, const int64_t[::1] stale_after, int64_t now):
        """Mark stale what is older than ``stale_after`` i64[metrics] µs (0: never); return how many are."""
        cdef uint32_t slot, stale = 0
        cdef Record *record
        if metric.shape[0] < self.size or stale_after.shape[0] < self.metrics:
            raise ValueError("length")
        with nogil:
            for slot in range(self.size):
                record = &self.records[slot]
                if stale_after[metric[slot]] and record.flags & VALID and now - record.time > stale_after[metric[slot]]:
                    record.flags |= STALE
                    stale += 1
        return stale

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self.view_shape[0] = <Py_ssize_t> self.capacity * sizeof(Record)
        buffer.buf = self.records
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
        return np.frombuffer(self, dtype=RECORD)[: self.size]
