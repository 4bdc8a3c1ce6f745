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

/* A walk over the table fetches each record once, past the second cache: there it would only push out the rest of
 * itself. */
#if defined(__GNUC__)
#define SLOTS_INLINE static inline __attribute__((always_inline))
#define SLOTS_FETCH(address) __builtin_prefetch((address), 1, 3)
#define SLOTS_FETCH_ONCE(address) __builtin_prefetch((address), 0, 0)
#define SLOTS_RARELY(holds) __builtin_expect(!!(holds), 0)
#define SLOTS_MOSTLY(holds) __builtin_expect(!!(holds), 1)
#else
#define SLOTS_INLINE static inline
#define SLOTS_FETCH(address) ((void)0)
#define SLOTS_FETCH_ONCE(address) ((void)0)
#define SLOTS_RARELY(holds) (holds)
#define SLOTS_MOSTLY(holds) (holds)
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

/* How many records are fetched ahead of the one at work: on processors that can have many fetches open, 32 are too few. */
enum { SLOTS_AHEAD = 64 };

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

/* The next set bit's slot; of none it is any. Written without asking whether there is one: that is a coin toss. */
#define SLOTS_NEXT(out, base, bits) \
    (*(out) = (base) + (uint32_t)__builtin_ctzll((bits) | (uint64_t)1 << 63), (bits) &= (bits) - 1)

SLOTS_INLINE void slots_next4(uint32_t *out, uint32_t base, uint64_t *bits)
{
    for (uint32_t k = 0; k < 4; k++) SLOTS_NEXT(out + k, base, *bits);
}

/* The slots of a word's bits, into room for 64; return how many. */
SLOTS_INLINE uint32_t slots_of_word(uint64_t bits, uint32_t base, uint32_t *out)
{
    const uint32_t n = (uint32_t)__builtin_popcountll(bits);
    if (n == 64) {
        for (uint32_t k = 0; k < 64; k++) out[k] = base + k;
        return n;
    }
    slots_next4(out, base, &bits);
    if (n > 4) {
        slots_next4(out + 4, base, &bits);
        slots_next4(out + 8, base, &bits);
    }
    for (uint32_t k = 12; k < n; k += 4) slots_next4(out + k, base, &bits);
    return n;
}

SLOTS_INLINE int slots_none(const uint64_t *words, uint32_t n)
{
    uint64_t any = 0;
    for (uint32_t k = 0; k < n; k++) any |= words[k];
    return !any;
}

/* List at most `limit` dirty slots, ascending, and take their bits. */
SLOTS_CLONES static uint32_t slots_list(slots_table *table, uint32_t limit, uint32_t *restrict slot)
{
    const uint32_t words = (table->size + 63) >> 6;
    uint64_t *const dirty = table->dirty;
    uint32_t n = 0, word = 0;
    while (word < words && n < limit) {
        if (word + 8 <= words && slots_none(dirty + word, 8)) {
            word += 8;
            continue;
        }
        const uint32_t end = word + 8 < words ? word + 8 : words;
        for (; word < end && limit - n >= 64; word++) {
            n += slots_of_word(dirty[word], word << 6, slot + n);
            dirty[word] = 0;
        }
        for (; word < end && n < limit && limit - n < 64; word++) {
            uint64_t bits = dirty[word];
            for (; bits && n < limit; n++) SLOTS_NEXT(slot + n, word << 6, bits);
            dirty[word] = bits;
        }
    }
    return n;
}

/* Move at most `limit` dirty slots into the columns, ascending; what does not fit stays dirty. First all are listed:
 * then their records can be fetched ahead, and no branch depends on where they lie. */
static uint32_t slots_take(
    slots_table *table, uint32_t limit, uint32_t *restrict slot, double *restrict value,
    int64_t *restrict time, uint32_t *restrict count)
{
    const uint32_t n = slots_list(table, limit, slot);
    slots_record *const records = table->records;
    for (uint32_t i = 0; i < n; i++) {
        if (i + SLOTS_AHEAD < n) SLOTS_FETCH_ONCE(&records[slot[i + SLOTS_AHEAD]]);
        slots_record *record = &records[slot[i]];
        const int64_t at = record->time;
        value[i] = record->reported = record->value;
        time[i] = at;
        count[i] = record->count;
        record->count = 0;
        record->flags = (record->flags & 0xFFFF & ~(uint32_t)(SLOTS_DIRTY | SLOTS_WINDOW))
            | ((uint32_t)(at >> SLOTS_REPORTED_UNIT) << SLOTS_REPORTED_SHIFT);
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
    slots_table *table, size_t n, const uint32_t *restrict slot, const double *restrict value,
    const int64_t *restrict time, const uint32_t *restrict count, const uint16_t *restrict metric)
{
    slots_tally tally = {0, 0, 0, 0};
    slots_record *const records = table->records;
    const slots_rule *const rules = table->rules;
    uint64_t *const dirty = table->dirty;
    uint32_t newly = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + SLOTS_AHEAD < n) SLOTS_FETCH_ONCE(&records[slot[i + SLOTS_AHEAD]]);
        const uint32_t at = slot[i];
        const slots_rule *rule = &rules[metric[at]];
        slots_record *record = &records[at];
        const uint32_t flags = record->flags;
        /* Nearly all of what an edge hands over is a change of a slot that was swapped since: here a branch is
         * foreseen, and cheaper than the merge that has none. */
        if (SLOTS_MOSTLY(rule->merge == SLOTS_LAST && (flags & (SLOTS_VALID | SLOTS_DIRTY)) == SLOTS_VALID
                && time[i] >= record->time && fabs(value[i] - record->reported) > rule->deadband)) {
            record->value = value[i];
            record->time = time[i];
            record->count += count[i];
            record->flags = (flags & ~(uint32_t)SLOTS_STALE) | SLOTS_DIRTY;
            dirty[at >> 6] |= (uint64_t)1 << (at & 63);
            newly++;
        } else {
            slots_merge(table, at, metric[at], value[i], time[i], count[i], &tally);
        }
    }
    table->changed += newly;
    return tally.late;
}

#endif
