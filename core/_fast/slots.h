/* Records and their merge, in plain C: the edge's decoder and the kernel's table inline the same few lines.
 *
 * See slots.pyx for what a slot means. Nothing here allocates; a caller has checked slot and metric.
 */
#ifndef ONDIJON_SLOTS_H
#define ONDIJON_SLOTS_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SLOTS_INLINE static inline __attribute__((always_inline))
#define SLOTS_FETCH(address) __builtin_prefetch((address), 1, 3)
#define SLOTS_RARELY(holds) __builtin_expect(!!(holds), 0)
#else
#define SLOTS_INLINE static inline
#define SLOTS_FETCH(address) ((void)0)
#define SLOTS_RARELY(holds) (holds)
#endif

/* One build serves every x86-64: the loader picks the wider registers where it finds them. Only glibc's
 * loader can; elsewhere the baseline is built. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define SLOTS_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define SLOTS_CLONES
#endif

/* Bits 4-5 of the flags hold the merge, bits 16-31 when the slot was last reported (units of 2^22 us). */
enum { SLOTS_DIRTY = 1, SLOTS_STALE = 2, SLOTS_VALID = 8, SLOTS_WINDOW = 64 };
enum { SLOTS_MERGE_SHIFT = 4, SLOTS_MERGE_MASK = 3, SLOTS_REPORTED_SHIFT = 16, SLOTS_REPORTED_UNIT = 22 };
enum { SLOTS_LAST, SLOTS_MAX, SLOTS_SUM, SLOTS_ANY };

/* A refresh that no age in 16 bits reaches. */
enum { SLOTS_NEVER = 65536 };

/* How many records are fetched ahead of the one at work. */
enum { SLOTS_AHEAD = 32 };

typedef struct {
    double value;
    int64_t time;
    double reported;
    uint32_t count, flags;
} slots_record;

typedef struct {
    double deadband, low, high;
    uint32_t refresh;
    uint8_t merge;
} slots_rule;

typedef struct {
    slots_record *records;
    uint64_t *dirty; /* a bit a slot */
    slots_rule *rules;
    uint32_t capacity, size, metrics, changed;
} slots_table;

/* What became of samples: each is one of these. */
typedef struct {
    uint64_t applied, unchanged, conflated, late;
} slots_tally;

SLOTS_INLINE void slots_mark(slots_table *table, uint32_t slot, uint32_t newly)
{
    table->dirty[slot >> 6] |= (uint64_t)newly << (slot & 63);
    table->changed += newly;
}

/* The newest value counts. No branch but for the late: which slots are dirty already is anybody's guess. */
SLOTS_INLINE void slots_merge_last(
    slots_table *table, uint32_t slot, const slots_rule *rule, double value, int64_t time, uint32_t count,
    slots_tally *tally)
{
    slots_record *record = &table->records[slot];
    const uint32_t flags = record->flags, valid = (flags & SLOTS_VALID) != 0, was = flags & SLOTS_DIRTY;
    if (SLOTS_RARELY(valid & (time < record->time))) {
        tally->late++;
        return;
    }
    const uint32_t age = ((uint32_t)(time >> SLOTS_REPORTED_UNIT) - (flags >> SLOTS_REPORTED_SHIFT)) & 0xFFFF;
    const uint32_t moved = !(fabs(value - record->reported) <= rule->deadband);
    const uint32_t dirty = was | moved | (age >= rule->refresh) | !valid, newly = dirty & ~was;
    record->value = value;
    record->time = time;
    record->count += count;
    record->flags = (flags & ~(uint32_t)SLOTS_STALE) | (-dirty & (SLOTS_DIRTY | SLOTS_VALID));
    slots_mark(table, slot, newly);
    tally->applied += newly;
    tally->conflated += was;
    tally->unchanged += !dirty;
}

/* Max, sum and any: what came since the last swap is one window, dirty from its first sample. */
SLOTS_INLINE void slots_merge_window(
    slots_table *table, uint32_t slot, uint32_t how, double value, int64_t time, uint32_t count,
    slots_tally *tally)
{
    slots_record *record = &table->records[slot];
    const uint32_t flags = record->flags, was = flags & SLOTS_DIRTY;
    if (how == SLOTS_ANY) value = value != 0;
    if (!(flags & SLOTS_WINDOW)) {
        record->value = value;
        record->count = 0;
    } else if (how == SLOTS_SUM) {
        record->value += value;
        /* Two values in range may add up to more than a double holds. */
        if (SLOTS_RARELY(!isfinite(record->value))) record->value = copysign(DBL_MAX, record->value);
    } else if (value > record->value) {
        record->value = value;
    }
    if (!(flags & SLOTS_VALID) || time > record->time) record->time = time;
    record->count += count;
    record->flags = (flags & ~(uint32_t)SLOTS_STALE) | SLOTS_WINDOW | SLOTS_DIRTY | SLOTS_VALID;
    slots_mark(table, slot, !was);
    tally->applied += !was;
    tally->conflated += was;
}

/* One sample, or what an edge made of several. */
SLOTS_INLINE void slots_merge(
    slots_table *table, uint32_t slot, uint16_t metric, double value, int64_t time, uint32_t count,
    slots_tally *tally)
{
    const slots_rule *rule = &table->rules[metric];
    if (rule->merge == SLOTS_LAST)
        slots_merge_last(table, slot, rule, value, time, count, tally);
    else
        slots_merge_window(table, slot, rule->merge, value, time, count, tally);
}

/* Move at most `limit` dirty slots into the columns, ascending; what does not fit stays dirty. */
static uint32_t slots_take(
    slots_table *table, uint32_t limit, uint32_t *restrict slot, double *restrict value,
    int64_t *restrict time, uint32_t *restrict count)
{
    const uint32_t words = (table->size + 63) >> 6;
    uint32_t n = 0;
    for (uint32_t word = 0; word < words; word++) {
        uint64_t bits = table->dirty[word];
        for (; bits && n < limit; bits &= bits - 1, n++) {
            const uint32_t at = (word << 6) + (uint32_t)__builtin_ctzll(bits);
            slots_record *record = &table->records[at];
            slot[n] = at;
            value[n] = record->reported = record->value;
            time[n] = record->time;
            count[n] = record->count;
            record->count = 0;
            record->flags = (record->flags & 0xFFFF & ~(uint32_t)(SLOTS_DIRTY | SLOTS_WINDOW))
                | ((uint32_t)(record->time >> SLOTS_REPORTED_UNIT) << SLOTS_REPORTED_SHIFT);
        }
        table->dirty[word] = bits;
        if (n == limit) break;
    }
    table->changed -= n;
    return n;
}

/* What is wrong with a batch that somebody else made, or NULL. Nothing is stored. */
SLOTS_CLONES static const char *slots_fault(
    const slots_table *table, size_t n, const uint32_t *restrict slot, const double *restrict value,
    const int64_t *restrict time, const uint32_t *restrict count, int64_t latest)
{
    uint32_t highest = 0, fewest = UINT32_MAX;
    int64_t unreal = 0, untimely = 0;
    for (size_t i = 0; i < n; i++) {
        highest = slot[i] > highest ? slot[i] : highest;
        fewest = count[i] < fewest ? count[i] : fewest;
    }
    for (size_t i = 0; i < n; i++) {
        /* Only of a finite number is the difference with itself 0. */
        unreal |= (int64_t)!(value[i] - value[i] == 0);
        untimely |= time[i] | (int64_t)((uint64_t)latest - (uint64_t)time[i]);
    }
    if (n && highest >= table->size) return "slot";
    if (unreal) return "not_finite";
    if (untimely < 0) return "time";
    return n && !fewest ? "count" : NULL;
}

/* Merge a batch without a fault; `metric` is the table's own map of slots. Returns how many were late. */
static uint64_t slots_apply(
    slots_table *table, size_t n, const uint32_t *slot, const double *value, const int64_t *time,
    const uint32_t *count, const uint16_t *metric)
{
    slots_tally tally = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        if (i + SLOTS_AHEAD < n) SLOTS_FETCH(&table->records[slot[i + SLOTS_AHEAD]]);
        slots_merge(table, slot[i], metric[slot[i]], value[i], time[i], count[i], &tally);
    }
    return tally.late;
}

#endif
