/* A columnar frame is judged as a whole: the checks of its samples are few passes without a branch.
 *
 * Nearly every frame is sound. One that is not goes through ingest.pyx sample by sample, for the reasons.
 */
#ifndef ONDIJON_COLUMNS_H
#define ONDIJON_COLUMNS_H

#include <string.h>

#include "slots.h"

enum { COLUMNS_MAX = 1024 };

/* `n` samples where they lie in the message, at any alignment. `metrics` is NULL where `metric` is that of all. */
typedef struct {
    const uint8_t *values, *offsets, *indexes, *metrics;
    uint32_t n;
    uint16_t metric;
    int64_t start;
} columns_frame;

/* Who may send what: `entries` by wire index (kind << 32 | first slot), `offsets` i16[kinds, metrics]. */
typedef struct {
    const uint64_t *entries;
    const int16_t *offsets;
    uint32_t assets, metrics;
    int64_t latest;
} columns_sender;

#define COLUMNS_READ(type, name) \
    SLOTS_INLINE type name(const uint8_t *at, size_t i) \
    { \
        type out; \
        memcpy(&out, at + i * sizeof out, sizeof out); \
        return out; \
    }
COLUMNS_READ(double, columns_f64)
COLUMNS_READ(int32_t, columns_i32)
COLUMNS_READ(uint16_t, columns_u16)

SLOTS_INLINE uint16_t columns_metric(const columns_frame *frame, size_t i)
{
    return frame->metrics ? columns_u16(frame->metrics, i) : frame->metric;
}

/* No index and no metric is beyond its table, no time outside of 0..latest. */
SLOTS_CLONES static int columns_in_bounds(const columns_frame *frame, const columns_sender *sender)
{
    uint16_t index = 0, metric = frame->metric;
    int32_t first = columns_i32(frame->offsets, 0), last = first;
    for (size_t i = 0; i < frame->n; i++) {
        const uint16_t at = columns_u16(frame->indexes, i);
        index = at > index ? at : index;
    }
    for (size_t i = 0; i < frame->n; i++) {
        const int32_t offset = columns_i32(frame->offsets, i);
        first = offset < first ? offset : first;
        last = offset > last ? offset : last;
    }
    if (frame->metrics) {
        metric = 0;
        for (size_t i = 0; i < frame->n; i++) {
            const uint16_t of = columns_u16(frame->metrics, i);
            metric = of > metric ? of : metric;
        }
    }
    return index < sender->assets && metric < sender->metrics && frame->start + first >= 0
        && frame->start + last <= sender->latest;
}

/* Every value is a number that the one metric's instrument can read. */
SLOTS_CLONES static int columns_in_range(const uint8_t *values, size_t n, double low, double high)
{
    int64_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        const double value = columns_f64(values, i);
        /* Only of a finite number is the difference with itself 0: a metric's limits may be infinite. */
        bad |= (int64_t)(value < low) | (int64_t)(value > high) | (int64_t)!(value - value == 0);
    }
    return !bad;
}

static int columns_own_in_range(const columns_frame *frame, const slots_rule *rules)
{
    int bad = 0;
    for (size_t i = 0; i < frame->n; i++) {
        const double value = columns_f64(frame->values, i);
        const slots_rule *rule = &rules[columns_u16(frame->metrics, i)];
        bad |= (value < rule->low) | (value > rule->high) | !(value - value == 0);
    }
    return !bad;
}

/* Find each sample's slot; false where an asset's kind has no such metric. */
SLOTS_INLINE int columns_place(const columns_frame *frame, const columns_sender *sender, uint32_t *restrict slot)
{
    int32_t any = 0;
    for (size_t i = 0; i < frame->n; i++) {
        const uint64_t entry = sender->entries[columns_u16(frame->indexes, i)];
        const int32_t offset = sender->offsets[(entry >> 32) * sender->metrics + columns_metric(frame, i)];
        any |= offset;
        slot[i] = (uint32_t)entry + (uint32_t)offset;
    }
    return any >= 0;
}

/* All samples of `frame` are sound: `slot` then says where each belongs. */
static int columns_sound(
    const columns_frame *frame, const columns_sender *sender, const slots_table *table, uint32_t *slot)
{
    if (!columns_in_bounds(frame, sender)) return 0;
    if (frame->metrics)
        return columns_own_in_range(frame, table->rules) && columns_place(frame, sender, slot);
    const slots_rule *rule = &table->rules[frame->metric];
    return columns_in_range(frame->values, frame->n, rule->low, rule->high)
        && columns_place(frame, sender, slot);
}

/* Merge the samples of a sound frame. */
static void columns_merge(
    const columns_frame *frame, const uint32_t *restrict slot, slots_table *table, slots_tally *total)
{
    slots_tally tally = {0, 0, 0, 0};
    const size_t n = frame->n;
    const slots_rule *rule = frame->metrics ? NULL : &table->rules[frame->metric];
    for (size_t i = 0; i < n && i < SLOTS_AHEAD; i++) SLOTS_FETCH(&table->records[slot[i]]);
    if (rule && rule->merge == SLOTS_LAST) {
        for (size_t i = 0; i < n; i++) {
            if (i + SLOTS_AHEAD < n) SLOTS_FETCH(&table->records[slot[i + SLOTS_AHEAD]]);
            slots_merge_last(
                table, slot[i], rule, columns_f64(frame->values, i),
                frame->start + columns_i32(frame->offsets, i), 1, &tally);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            if (i + SLOTS_AHEAD < n) SLOTS_FETCH(&table->records[slot[i + SLOTS_AHEAD]]);
            slots_merge(
                table, slot[i], columns_metric(frame, i), columns_f64(frame->values, i),
                frame->start + columns_i32(frame->offsets, i), 1, &tally);
        }
    }
    total->applied += tally.applied;
    total->unchanged += tally.unchanged;
    total->conflated += tally.conflated;
    total->late += tally.late;
}

#endif
