/* The dense pass of presence dimming: plain C so that the compiler turns it into vector code.
 *
 * Times are int16 tenths of a second that count down to 0: no clock, so nothing to wrap around. Modelled
 * levels are int16 in 1/256 %, so that a slow fade moves at each pass. See dimming.pyx for what it means.
 */
#ifndef ONDIJON_DIMMING_H
#define ONDIJON_DIMMING_H

#include <stddef.h>
#include <stdint.h>

/* One build serves every x86-64: the loader picks the wider registers where it finds them. Only glibc's
 * loader can; elsewhere the baseline is built. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define DIMMING_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define DIMMING_CLONES
#endif

#if defined(__GNUC__)
#define DIMMING_INLINE static inline __attribute__((always_inline))
#else
#define DIMMING_INLINE static inline
#endif

/* The arrays never overlap, but inlining forgets `restrict`, and ten run-time checks are too many for gcc. */
#if defined(__GNUC__) && !defined(__clang__)
#define DIMMING_APART _Pragma("GCC ivdep")
#else
#define DIMMING_APART
#endif

#if defined(__GNUC__)
#define DIMMING_FETCH(address) __builtin_prefetch(address)
#else
#define DIMMING_FETCH(address) ((void)0)
#endif

/* Lamps a block: due lamps are rare, so one flag a block tells whether to look closer. */
#define DIMMING_BLOCK 64

typedef struct {
    const uint8_t *base, *keep;   /* % the device does by itself; % the post must hold there meanwhile */
    uint8_t *want, *leased;       /* % that presence asks for; % of the lease last sent */
    int16_t *hold, *lease;        /* what is left of both, tenths of a second */
    int16_t *level;               /* where the device should be, 1/256 % */
    uint32_t *out_lamp;
    uint8_t *out_level;
    int16_t *out_lease;
    int16_t elapsed, renew, keep_lease, rise, fall;
} dimming_park;

/* Scatter what `seen` sensors reach. Rows lie far apart in memory, so the next ones are fetched ahead, each
 * step when the one it depends on has arrived. Returns the number of lamps touched. */
static size_t dimming_notice(
    const uint32_t *start, const uint32_t *lamps, const uint8_t *levels,
    const uint32_t *seen, size_t sensors, uint8_t *want, int16_t *hold, int16_t hold_ds)
{
    size_t touched = 0;
    for (size_t i = 0; i < sensors; i++) {
        if (i + 12 < sensors) DIMMING_FETCH(&start[seen[i + 12]]);
        if (i + 8 < sensors) {
            DIMMING_FETCH(&lamps[start[seen[i + 8]]]);
            DIMMING_FETCH(&levels[start[seen[i + 8]]]);
        }
        if (i + 4 < sensors) {
            const uint32_t next = lamps[start[seen[i + 4]]]; /* never an empty row: hop 0 is the sensor's own lamp */
            DIMMING_FETCH(&want[next]);
            DIMMING_FETCH(&hold[next]);
        }
        const uint32_t end = start[seen[i] + 1];
        for (uint32_t row = start[seen[i]]; row < end; row++) {
            const uint32_t lamp = lamps[row];
            const uint8_t before = want[lamp] & (uint8_t)-(hold[lamp] > 0);
            want[lamp] = before > levels[row] ? before : levels[row];
            hold[lamp] = hold_ds;
        }
        touched += end - start[seen[i]];
    }
    return touched;
}

DIMMING_INLINE int16_t dimming_max(int16_t a, int16_t b) { return a > b ? a : b; }
DIMMING_INLINE int16_t dimming_min(int16_t a, int16_t b) { return a < b ? a : b; }
/* All bits or none: a compiler turns masks into vector code where it gives up on branches. */
DIMMING_INLINE int16_t dimming_mask(int holds) { return (int16_t)-holds; }

/* Move `count` lamps on; mark in `due` those that need a lease. Returns whether any does. */
DIMMING_INLINE int dimming_move(const dimming_park *p, size_t first, size_t count, uint8_t *restrict due)
{
    const uint8_t *restrict base = p->base + first, *restrict keep = p->keep + first;
    const uint8_t *restrict want = p->want + first, *restrict leased = p->leased + first;
    int16_t *restrict hold = p->hold + first, *restrict lease = p->lease + first;
    int16_t *restrict level = p->level + first;
    const int16_t elapsed = p->elapsed, renew = p->renew, rise = p->rise, down = (int16_t)-p->fall;
    uint8_t any = 0;
    DIMMING_APART
    for (size_t i = 0; i < count; i++) {
        const int16_t b = base[i], k = keep[i], wanted = want[i], given = leased[i];
        const int16_t h = dimming_max((int16_t)(hold[i] - elapsed), 0);
        const int16_t l = dimming_max((int16_t)(lease[i] - elapsed), 0);
        const int16_t now = dimming_max(given & dimming_mask(l > 0), b);
        const int16_t w = dimming_max(wanted & dimming_mask(h > 0), k);
        const int16_t rises = dimming_mask(w > now), above = dimming_mask(w > b);
        const int16_t outlives = dimming_mask(k > b) | dimming_mask(h > l);
        const int16_t ends = above & outlives & dimming_mask(l <= renew);
        const int16_t way = (int16_t)((int16_t)(now << 8) - level[i]);
        hold[i] = h;
        lease[i] = l;
        level[i] = (int16_t)(level[i] + dimming_min(dimming_max(way, down), rise));
        due[i] = (uint8_t)(rises | ends);
        any |= due[i];
    }
    return any;
}

/* Grant the leases of one block's due lamps; returns the number of rows written so far. */
DIMMING_INLINE size_t dimming_grant(
    const dimming_park *p, size_t first, size_t count, const uint8_t *due, size_t rows)
{
    for (size_t i = first; i < first + count; i++) {
        if (!due[i - first]) continue;
        const uint8_t seen = p->hold[i] > 0 ? p->want[i] : 0, kept = p->keep[i] >= seen;
        p->leased[i] = kept ? p->keep[i] : seen;
        const int32_t covers = (int32_t)p->hold[i] + p->renew;
        p->lease[i] = kept ? p->keep_lease : (int16_t)(covers < INT16_MAX ? covers : INT16_MAX);
        p->hold[i] = 0; /* the lease covers all that was seen until now */
        p->out_lamp[rows] = (uint32_t)i;
        p->out_level[rows] = p->leased[i];
        p->out_lease[rows] = p->lease[i];
        rows++;
    }
    return rows;
}

DIMMING_CLONES static size_t dimming_pass(const dimming_park *p, size_t lamps)
{
    uint8_t due[DIMMING_BLOCK];
    size_t rows = 0, first = 0;
    for (; first + DIMMING_BLOCK <= lamps; first += DIMMING_BLOCK)
        if (dimming_move(p, first, DIMMING_BLOCK, due))
            rows = dimming_grant(p, first, DIMMING_BLOCK, due, rows);
    if (first < lamps && dimming_move(p, first, lamps - first, due))
        rows = dimming_grant(p, first, lamps - first, due, rows);
    return rows;
}

#endif
