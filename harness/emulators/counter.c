/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A QEMU TCG plugin that counts executed instructions exactly, per translated block and per segment between marks.
 *
 * It is loaded into QEMU and therefore under QEMU's licence; the rest of the project only starts QEMU as a program.
 * Built by plugin.py with the host's compiler; -DPLUGIN_API=N is the plugin API version that is declared to QEMU:
 *   1       up to QEMU 8.2: an inline add works on a plain pointer
 *   2 ...   from QEMU 9.0: an inline add works on a "scoreboard", an array with one element per vCPU
 *
 * Arguments: out=FILE  mark=ADDRESS  [end=ADDRESS]   (numbers as strtoull reads them, no Thumb bit)
 *            live=on   FILE is a pipe: each segment is written as soon as it ends, and QEMU ends when the reader does
 *            probe=on  QEMU exits with 0 at once: it accepts this plugin
 *            edges=on  also counts how often each block was left to somewhere else than its end, and unaligned accesses
 *            flash=ORIGIN:BYTES  code=SHIFT:PARTS:LINES:WAYS  data=... (or data=code)
 *                      also counts lines of the flash that are fetched and missed (flash_lines.h); needs edges=on
 * The format of FILE is described in counts.py.
 *
 * How it counts. Each translated block gets one inline add at its start, so a block counts once per entry, before its
 * first instruction. A block is divided where the mark or the end lies inside it; the part that starts at the mark is
 * counted by the mark's callback, after the cut, so it belongs to the new segment. QEMU takes interrupts between blocks
 * and ends a block at SVC, UDF, BKPT and WFI, which count as one each. Not exact: a block that is left early by a fault
 * in its middle (a load or store without access, a trapped division by zero) counts in full.
 *
 * Edges and lines take a callback per block and per load, so they are off unless asked for. The lines of a block count
 * as fetched when it is entered, its loads when they are executed. QEMU takes the halfword behind a page's last
 * instruction for a part of it (see block_end): no branch is concerned, so that edges are exact. An interrupt, and
 * QEMU 10.0's way around device accesses, count as an edge.
 *
 * Device accesses. QEMU 10.0 (7.2 does not) abandons a block before an access to a device in its middle, runs the one
 * instruction alone in a block that plugins may instrument for memory accesses only, and goes on in a new block, which
 * counts the remaining instructions again. The accesses of such one-instruction blocks are recorded (section IO), so
 * that counts.py can take those repeated entries off.
 *
 * Not with -icount: it cuts blocks to its budget, so a block that goes on is no longer one entry.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flash_lines.h"
#include "qemu_plugin.h"

#define PLUGIN "counter"
#define WRITING "writing the counts"
#include "sections.h"

EXPORT int qemu_plugin_version = PLUGIN_API;

/* ---- counters: numbered, never moved, in chunks ------------------------------------------------------------------ */

enum { CHUNK = 512, MAX_CHUNKS = 8192 };

#if PLUGIN_API == 1
typedef uint64_t *chunk_t;
#else
typedef struct qemu_plugin_scoreboard *chunk_t;
#endif

typedef struct {
  chunk_t chunks[MAX_CHUNKS];
  size_t used;
} counters_t;

static size_t new_counter(counters_t *counters) {
  if (counters->used % CHUNK == 0) {
    size_t number = counters->used / CHUNK;
    if (number == MAX_CHUNKS) {
      errno = ENOMEM;
      die("too many translated blocks");
    }
#if PLUGIN_API == 1
    counters->chunks[number] = calloc(CHUNK, sizeof(uint64_t));
#else
    counters->chunks[number] = qemu_plugin_scoreboard_new(CHUNK * sizeof(uint64_t));
#endif
    if (!counters->chunks[number]) die("memory");
  }
  return counters->used++;
}

/* The CHUNK values of chunk `number`, of the only vCPU. */
static uint64_t *values(const counters_t *counters, size_t number) {
#if PLUGIN_API == 1
  return counters->chunks[number];
#else
  return qemu_plugin_scoreboard_find(counters->chunks[number], 0);
#endif
}

static uint64_t *value(const counters_t *counters, size_t index) {
  return values(counters, index / CHUNK) + index % CHUNK;
}

static void count_block(struct qemu_plugin_tb *tb, const counters_t *counters, size_t index) {
#if PLUGIN_API == 1
  qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, value(counters, index), 1);
#else
  qemu_plugin_u64 entry = {counters->chunks[index / CHUNK], index % CHUNK * sizeof(uint64_t)};
  qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(tb, INLINE_ADD_U64, entry, 1);
#endif
}

static void count_accesses(struct qemu_plugin_insn *insn, const counters_t *counters, size_t index) {
#if PLUGIN_API == 1
  qemu_plugin_register_vcpu_mem_inline(insn, MEMORY_READ_AND_WRITE, INLINE_ADD_U64, value(counters, index), 1);
#else
  qemu_plugin_u64 entry = {counters->chunks[index / CHUNK], index % CHUNK * sizeof(uint64_t)};
  qemu_plugin_register_vcpu_mem_inline_per_vcpu(insn, MEMORY_READ_AND_WRITE, INLINE_ADD_U64, entry, 1);
#endif
}

/* ---- blocks: one entry per (address, instructions), however often it is translated ------------------------------- */

typedef struct {
  uint64_t address, instructions;
} block_t;

static counters_t entries; /* entries of block i, since the last cut */
static block_t *blocks;
static size_t blocks_capacity, blocks_written;
static size_t *slots; /* open addressing: index + 1, 0 is free */
static size_t slots_size;

static size_t slot_of(block_t block) {
  uint64_t hash = (block.address * 512 + block.instructions) * UINT64_C(0x9E3779B97F4A7C15);
  size_t slot = (size_t)(hash >> 20) & (slots_size - 1);
  while (slots[slot]) {
    const block_t *there = &blocks[slots[slot] - 1];
    if (there->address == block.address && there->instructions == block.instructions) break;
    slot = (slot + 1) & (slots_size - 1);
  }
  return slot;
}

static size_t block_index(block_t block) {
  if (entries.used * 2 >= slots_size) {
    slots_size = slots_size ? slots_size * 2 : 4096;
    free(slots);
    slots = calloc(slots_size, sizeof *slots);
    if (!slots) die("memory");
    for (size_t i = 0; i < entries.used; i++) slots[slot_of(blocks[i])] = i + 1;
  }
  size_t slot = slot_of(block);
  if (!slots[slot]) {
    if (entries.used == blocks_capacity) {
      blocks_capacity = blocks_capacity ? blocks_capacity * 2 : 2048;
      blocks = grown(blocks, blocks_capacity * sizeof *blocks);
    }
    blocks[entries.used] = block;
    slots[slot] = new_counter(&entries) + 1;
  }
  return slots[slot] - 1;
}

/* ---- one-instruction blocks: their entries and memory accesses, per translation ---------------------------------- */

static counters_t single_entries, single_accesses; /* entries: since the start; accesses: since the last cut */
static uint64_t *single_addresses;
static size_t single_capacity;

static void watch_single(struct qemu_plugin_tb *tb) {
  struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, 0);
  size_t index = new_counter(&single_entries);
  new_counter(&single_accesses);
  if (index == single_capacity) {
    single_capacity = single_capacity ? single_capacity * 2 : 512;
    single_addresses = grown(single_addresses, single_capacity * sizeof *single_addresses);
  }
  single_addresses[index] = qemu_plugin_insn_vaddr(insn);
  count_block(tb, &single_entries, index); /* QEMU ignores this in a block for memory accesses only */
  count_accesses(insn, &single_accesses, index);
}

#include "edges.h"

/* ---- the output file --------------------------------------------------------------------------------------------- */

enum {
  SECTION_BLOCKS = 1,
  SECTION_IO = 2,
  SECTION_SEGMENT = 3,
  SECTION_END = 4,
  SECTION_EDGES = 5,
  SECTION_FLASH = 6,
};
enum { ENDED_AT_ADDRESS = 1, ENDED_BY_EXIT = 2 };

static bool live;

static uint64_t segment_start; /* address of the mark that began the segment; 0: reset */

static void write_edges(void) {
  begin_section(SECTION_EDGES);
  put(more_accesses);
  more_accesses = 0;
  for (size_t i = 0; i < entries.used && i / CHUNK < taken_used; i++) {
    uint64_t *taken = taken_of(i);
    if (*taken) {
      put(i);
      put(*taken);
      *taken = 0;
    }
  }
  end_section();
  if (!flash_known) return;
  begin_section(SECTION_FLASH);
  put(flash_use.fetched);
  put(flash_use.jump_misses);
  put(flash_use.onward_misses);
  put(flash_use.loads);
  put(flash_use.load_misses);
  end_section();
  flash_use = (flash_use_t){0};
}

static void write_segment(void) {
  if (blocks_written < entries.used) {
    begin_section(SECTION_BLOCKS);
    for (; blocks_written < entries.used; blocks_written++) {
      put(blocks[blocks_written].address);
      put(blocks[blocks_written].instructions);
    }
    end_section();
  }
  begin_section(SECTION_IO);
  for (size_t i = 0; i < single_accesses.used; i++) {
    uint64_t *accesses = value(&single_accesses, i);
    if (*accesses && !*value(&single_entries, i)) {
      put(single_addresses[i]);
      put(*accesses);
    }
    *accesses = 0;
  }
  if (words_used > 2) end_section();
  if (edges) write_edges();
  begin_section(SECTION_SEGMENT);
  put(segment_start);
  for (size_t first = 0; first < entries.used; first += CHUNK) {
    uint64_t *counts = values(&entries, first / CHUNK);
    for (size_t i = 0; i < CHUNK; i++) {
      if (counts[i]) {
        put(first + i);
        put(counts[i]);
        counts[i] = 0;
      }
    }
  }
  end_section();
}

static void finish(uint64_t reason) {
  if (!file) return;
  write_segment();
  begin_section(SECTION_END);
  put(reason);
  end_section();
  if (fclose(file)) die(WRITING);
  file = NULL;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static bool has_end;
static uint64_t mark_address, end_address;
static volatile bool code_translated;

static void at_mark(unsigned vcpu, void *user) {
  (void)vcpu;
  if (file) write_segment();
  if (file && live && fflush(file)) die(WRITING);
  segment_start = mark_address;
  *value(&entries, (size_t)(uintptr_t)user) += 1;
}

static void at_end(unsigned vcpu, void *user) {
  (void)vcpu, (void)user;
  if (!file) return;
  finish(ENDED_AT_ADDRESS);
  kill(getpid(), SIGTERM); /* QEMU's own way out: it closes the UART's file and exits with 0 */
}

static void at_exit(qemu_plugin_id_t id, void *user) {
  (void)id, (void)user;
  finish(ENDED_BY_EXIT);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  code_translated = true;
  size_t length = qemu_plugin_tb_n_insns(tb);
  size_t next = length;        /* first instruction of the part after the current one */
  size_t left_from = SIZE_MAX; /* the last part; none where the end's address begins it */
  for (size_t i = length; i-- > 0;) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    uint64_t address = qemu_plugin_insn_vaddr(insn);
    bool is_mark = address == mark_address, is_end = has_end && address == end_address;
    if (i != 0 && !is_mark && !is_end) continue;
    if (is_end) {
      qemu_plugin_register_vcpu_insn_exec_cb(insn, at_end, CALLBACK_NO_REGISTERS, NULL);
    } else {
      size_t index = block_index((block_t){address, next - i});
      if (next == length) left_from = index;
      if (is_mark) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, CALLBACK_NO_REGISTERS, (void *)(uintptr_t)index);
      } else {
        count_block(tb, &entries, index);
      }
    }
    next = i;
  }
  if (length == 1) watch_single(tb);
  if (edges && left_from != SIZE_MAX) watch_block(tb, left_from);
}

/* Firmware that serves never ends by itself: without this, QEMU would go on where its starter was killed.
 *
 * It also wakes QEMU's main loop now and then. That asks a UART whether it takes a byte only when something wakes it, and
 * an nRF51 that switches its receiver on does not: without this, what was sent may wait for ever. QEMU blocks SIGALRM
 * and reads it from a descriptor, before any code is translated, and does nothing at it but go round. */
enum { WAKE_MS = 10 };

static void *watch_reader(void *user) {
  (void)user;
  struct pollfd reader = {.fd = fileno(file), .events = 0};
  for (;;) {
    int gone = poll(&reader, 1, WAKE_MS);
    if (gone > 0) _exit(1);
    if (gone < 0 && errno != EINTR) die("watching the reader");
    if (code_translated) kill(getpid(), SIGALRM);
  }
}

static void start_watching(void) {
  sigset_t all, before;
  pthread_t thread;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* QEMU's own threads take the signals */
  errno = pthread_create(&thread, NULL, watch_reader, NULL);
  if (errno) die("watching the reader");
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* "SHIFT:PARTS:LINES:WAYS" */
static bool read_lines(const char *text, lines_t *read) {
  int found = sscanf(text, "%u:%u:%zu:%zu", &read->shift, &read->parts, &read->lines, &read->ways);
  return found == 4 && read->shift < 12;
}

/* The arguments of edges and lines; false where it is another one, or cannot be read. */
static bool read_timing_argument(const char *text) {
  if (strcmp(text, "edges=on") == 0) return edges = true;
  if (strcmp(text, "data=code") == 0) {
    data_lines = &code_lines;
    return true;
  }
  if (strncmp(text, "data=", 5) == 0) return read_lines(text + 5, &data_lines_apart);
  if (strncmp(text, "code=", 5) == 0) return read_lines(text + 5, &code_lines);
  if (strncmp(text, "flash=", 6) != 0) return false;
  char *rest;
  flash_origin = strtoull(text + 6, &rest, 0);
  if (*rest != ':') return false;
  flash_bytes = strtoull(rest + 1, &rest, 0);
  return flash_known = *rest == 0;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  const char *out = NULL;
  bool has_mark = false;
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "probe=on") == 0) _exit(0);
    if (strcmp(argv[i], "live=on") == 0) {
      live = true;
    } else if (strncmp(argv[i], "out=", 4) == 0) {
      out = argv[i] + 4;
    } else if (strncmp(argv[i], "mark=", 5) == 0) {
      mark_address = strtoull(argv[i] + 5, NULL, 0);
      has_mark = true;
    } else if (strncmp(argv[i], "end=", 4) == 0) {
      end_address = strtoull(argv[i] + 4, NULL, 0);
      has_end = true;
    } else if (!read_timing_argument(argv[i])) {
      fprintf(stderr, "counter: unknown argument %s\n", argv[i]);
      return 1;
    }
  }
  if (!out || !has_mark || !info->system_emulation || info->system.smp_vcpus != 1) {
    fprintf(stderr, "counter: needs out=FILE, mark=ADDRESS and a machine with one vCPU\n");
    return 1;
  }
  if (flash_known && (!edges || !make_lines(&code_lines) || (data_lines != &code_lines && !make_lines(data_lines)))) {
    fprintf(stderr, "counter: the lines of the flash do not fit each other\n");
    return 1;
  }
  if (!open_file(out, "TFLMCNT")) return 1;
  if (live) start_watching();
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, at_exit, NULL);
  return 0;
}
