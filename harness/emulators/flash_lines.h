/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Part of counter.c: the lines that a flash interface keeps, and what is found in them.
 *
 * Two stores of lines, of instructions and of data, which may be one and the same ("unified"). Each has `lines` lines in
 * sets of `ways`, and gives up the line of a set that was used longest ago. A store of one line is a plain buffer. A
 * line has 2^parts parts of 2^shift bytes, as many as one access to the flash brings, and only those parts are read
 * that are asked for. Only the addresses of the flash are looked at. Nothing is timed here: misses are counted, and
 * what one costs is decided by those who read the counts.
 *
 * A part is looked up where the code goes from one part to another; a miss is "onward" where the part lies directly
 * behind the one before, as a prefetcher would guess, and a "jump" otherwise. A part of data is looked up where a load
 * is from another part than the load before.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { NO_LINE = -1 };

typedef struct {
  unsigned shift;     /* log2 of the bytes of a part */
  unsigned parts;     /* log2 of the parts of a line */
  size_t lines, ways; /* lines in all, a multiple of the ways */
  uint16_t *place;    /* of each line of the flash: number of the line that holds it + 1, 0 where none does */
  int64_t *held;      /* of each line: which line of the flash it holds */
  uint64_t *used;     /* of each line: when it was used last */
  uint64_t *read;     /* of each line: a bit for each part that is there */
  uint64_t clock;
} lines_t;

typedef struct {
  uint64_t fetched, jump_misses, onward_misses, loads, load_misses;
} flash_use_t;

static uint64_t flash_origin, flash_bytes;
static lines_t code_lines, data_lines_apart, *data_lines = &data_lines_apart;
static int64_t code_line = NO_LINE, data_line = NO_LINE; /* the parts that were used last */
static flash_use_t flash_use;

/* Whether memory sufficed and the numbers fit each other. */
static bool make_lines(lines_t *made) {
  if (!made->lines || made->lines > UINT16_MAX || !made->ways || made->lines % made->ways) return false;
  if (made->parts > 6) return false;
  made->place = calloc((size_t)(flash_bytes >> (made->shift + made->parts)) + 1, sizeof *made->place);
  made->held = calloc(made->lines, sizeof *made->held);
  made->used = calloc(made->lines, sizeof *made->used);
  made->read = calloc(made->lines, sizeof *made->read);
  return made->place && made->held && made->used && made->read;
}

/* Uses a line, and reads those of the `wanted` parts of it that are not there: they are returned. */
static uint64_t missing(lines_t *store, int64_t line, uint64_t wanted) {
  store->clock++;
  size_t place = store->place[line];
  if (place) {
    store->used[place - 1] = store->clock;
    uint64_t absent = wanted & ~store->read[place - 1];
    if (absent) store->read[place - 1] |= absent;
    return absent;
  }
  size_t first = (size_t)line % (store->lines / store->ways) * store->ways, oldest = first;
  for (size_t i = first; i < first + store->ways; i++) {
    if (store->used[i] < store->used[oldest]) oldest = i;
  }
  if (store->used[oldest]) store->place[store->held[oldest]] = 0;
  store->place[line] = (uint16_t)(oldest + 1);
  store->held[oldest] = line;
  store->used[oldest] = store->clock;
  store->read[oldest] = wanted;
  return wanted;
}

/* The parts `first` to `last` of a line, as bits. */
static uint64_t bits(const lines_t *store, int64_t first, int64_t last) {
  int64_t within = (INT64_C(1) << store->parts) - 1;
  return (~UINT64_C(0) >> (63 - (last & within))) & (~UINT64_C(0) << (first & within));
}

/* The parts of an instruction's or a block's bytes, none (the last before the first) where they are not in the flash. */
static void lines_between(uint64_t start, uint64_t end, int64_t *first, int64_t *last) {
  bool inside = start - flash_origin < flash_bytes && end > start;
  *first = inside ? (int64_t)((start - flash_origin) >> code_lines.shift) : 0;
  *last = inside ? (int64_t)((end - 1 - flash_origin) >> code_lines.shift) : -1;
}

static void fetch_lines(int64_t first, int64_t last) {
  if (first == code_line) first++;
  if (first > last) return;
  bool onward = first == code_line + 1;
  flash_use.fetched += (uint64_t)(last - first + 1);
  code_line = last;
  while (first <= last) {
    int64_t line = first >> code_lines.parts, end = (line + 1) << code_lines.parts;
    int64_t upto = last < end ? last : end - 1;
    uint64_t absent = missing(&code_lines, line, bits(&code_lines, first, upto));
    if (absent) {
      uint64_t jumped = !onward && (absent & bits(&code_lines, first, first));
      flash_use.jump_misses += jumped;
      flash_use.onward_misses += (uint64_t)__builtin_popcountll(absent) - jumped;
    }
    onward = true;
    first = end;
  }
}

static void load_from(uint64_t address) {
  uint64_t offset = address - flash_origin;
  if (offset >= flash_bytes) return;
  flash_use.loads++;
  int64_t part = (int64_t)(offset >> data_lines->shift);
  if (part == data_line) return;
  data_line = part;
  if (missing(data_lines, part >> data_lines->parts, bits(data_lines, part, part))) flash_use.load_misses++;
}
