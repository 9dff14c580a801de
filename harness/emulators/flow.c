/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A QEMU TCG plugin that follows calls, returns, exceptions and switches of stacks, and counts executed instructions
 * exactly, per block in each calling context, and for each call of chosen functions.
 *
 * It is loaded into QEMU and therefore under QEMU's licence; the rest of the project only starts QEMU as a program.
 * Built by plugin.py as counter.c is.
 *
 * Arguments: out=FILE  functions=FILE  [limit=INSTRUCTIONS]  [semihosting=on]
 *            semihosting=on   the firmware may call its host; otherwise its first attempt ends the run
 *            probe=on         QEMU exits with 0 at once: it accepts this plugin
 * The format of both files is described in flows.py.
 *
 * The plugin interface up to QEMU 8.2 cannot read registers, so that what happened is told by where the code went on:
 * each block knows by its last instruction where that may be (flow_ends.h). A block at another place was entered by an
 * exception. Blocks are divided where a function begins inside of them. See flow_steps.h for the rules, and counter.c
 * for what QEMU does with blocks and devices.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qemu_plugin.h"

#define PLUGIN "flow"
#define WRITING "writing the profile"
#include "sections.h"

EXPORT int qemu_plugin_version = PLUGIN_API;

/* Its arguments differ: up to QEMU 9.0 (API 2) it returns a pointer, later it copies into a buffer. */
void qemu_plugin_insn_data(void);
bool qemu_plugin_mem_is_store(uint32_t);

#include "flow_ends.h"
#include "flow_tree.h"
/* uses both */
#include "flow_stack.h"
/* and that */
#include "flow_steps.h"

/* ---- the output file ------------------------------------------------------------------------------------------------ */

enum {
  SECTION_PARTS = 1,
  SECTION_NODES = 2,
  SECTION_CELLS = 3,
  SECTION_REGION = 4,
  SECTION_LISTED = 5,
  SECTION_VALUES = 6,
  SECTION_NOTES = 7,
  SECTION_END = 8,
  SECTION_SEGMENT = 9,
};
enum { ENDED_AT_STOP = 1, ENDED_BY_EXIT = 2, ENDED_AT_LIMIT = 3, ENDED_AT_SEMIHOSTING = 4 };

static part_t **parts;
static uint16_t *parts_code;  /* of all parts */
static size_t *parts_code_at; /* where that of a part begins; one more at the end */
static size_t parts_used, parts_code_used, parts_code_capacity;

static void write_parts(void) {
  begin_section(SECTION_PARTS);
  for (size_t i = 0; i < parts_used; i++) {
    const uint16_t *code = parts_code + parts_code_at[i];
    size_t halfwords = parts_code_at[i + 1] - parts_code_at[i];
    put(parts[i]->start);
    put(parts[i]->instructions);
    put(halfwords);
    for (size_t at = 0; at < halfwords; at += 4) {
      uint64_t word = 0;
      for (size_t j = 0; j < 4 && at + j < halfwords; j++) word |= (uint64_t)code[at + j] << 16 * j;
      put(word);
    }
  }
  end_section();
}

static void write_tree(void) {
  begin_section(SECTION_NODES);
  for (size_t i = 0; i < nodes_used; i++) {
    put(nodes[i].parent);
    put(nodes[i].function);
    put(nodes[i].kind);
    put(nodes[i].calls);
    put(nodes[i].jumps);
  }
  end_section();
  begin_section(SECTION_CELLS);
  for (size_t i = 0; i < cells_used; i++) {
    put(cells[i].node);
    put(cells[i].part);
    put(cells[i].count);
  }
  end_section();
}

static void write_values(uint64_t number, uint64_t which, const values_t *values) {
  begin_section(SECTION_VALUES);
  put(number);
  put(which);
  put(values->rounded);
  for (size_t i = 0; i < values->used; i++) {
    put(values->values[i]);
    put(values->counts[i]);
  }
  end_section();
}

static void write_region(size_t number) {
  const region_t *region = &regions[number];
  begin_section(SECTION_REGION);
  put(number);
  put(region->calls);
  put(region->outermost);
  put(region->own);
  put(region->interrupts);
  put(region->open);
  for (size_t i = 0; i < 5; i++) put(region->flagged[i]);
  end_section();
  begin_section(SECTION_LISTED);
  put(number);
  for (size_t i = 0; i < region->listed_used; i++) {
    put(region->listed[i].at);
    put(region->listed[i].own);
    put(region->listed[i].interrupts);
    put(region->listed[i].flags);
  }
  end_section();
  write_values(number, 0, &region->own_values);
  write_values(number, 1, &region->all_values);
}

static void count_open(const activation_t *in) {
  for (; in; in = in->below) {
    for (size_t i = 0; i < in->depth; i++) {
      if (in->frames[i].region) regions[in->frames[i].region->region].open++;
    }
  }
}

static bool is_split; /* into segments, where functions with the flag SPLIT begin */

static void write_segment(void) {
  if (candidates_used) choose(0);
  begin_section(SECTION_SEGMENT);
  put_segment();
  end_section();
}

static void finish(uint64_t reason, uint64_t address) {
  if (!file) return;
  if (candidates_used) choose(0);
  if (is_split) write_segment();
  count_open(current);
  for (size_t i = 0; i < parked_used; i++) count_open(parked[i]);
  write_parts();
  write_tree();
  for (size_t i = 0; i < regions_used; i++) write_region(i);
  begin_section(SECTION_NOTES);
  const uint64_t *words_of_notes = (const uint64_t *)&notes;
  for (size_t i = 0; i < sizeof notes / sizeof *words_of_notes; i++) put(words_of_notes[i]);
  put(folded);
  end_section();
  begin_section(SECTION_END);
  put(reason);
  put(address);
  end_section();
  if (fclose(file)) die(WRITING);
  file = NULL;
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static bool data_is_copied, semihosting;
static void (*volatile insn_data)(void) = qemu_plugin_insn_data; /* so that the compiler leaves the calls alone */
static uint64_t limit = UINT64_MAX;
static const part_t *arrived; /* the last block that was entered */

static void end_run(uint64_t reason, uint64_t address) {
  finish(reason, address);
  kill(getpid(), SIGTERM); /* QEMU's own way out: it closes the UART's file and exits with 0 */
}

static void at_part(unsigned vcpu, void *user) {
  (void)vcpu;
  part_t *part = user;
  if (!file) return;
  if (part->entry && part->entry->flags & STOP) {
    end_run(ENDED_AT_STOP, part->start);
    return;
  }
  if (notes.executed >= limit) {
    end_run(ENDED_AT_LIMIT, part->start);
    return;
  }
  if (part->entry && part->entry->flags & SPLIT) {
    is_split = true;
    write_segment();
  }
  arrived = part;
  arrive(part);
}

static void at_semihosting(unsigned vcpu, void *user) {
  (void)vcpu;
  end_run(ENDED_AT_SEMIHOSTING, (uint64_t)(uintptr_t)user);
}

/* A one-instruction block that accesses memory without having been entered: QEMU ran the instruction alone. */
static void at_single(unsigned vcpu, uint32_t info, uint64_t address, void *user) {
  (void)vcpu, (void)info, (void)address;
  const part_t *part = user;
  if (file && current && arrived && arrived != part) current->repeats_from = part->end;
}

static void at_exit(qemu_plugin_id_t id, void *user) {
  (void)id, (void)user;
  finish(ENDED_BY_EXIT, arrived ? arrived->start : 0);
}

/* ---- translation ---------------------------------------------------------------------------------------------------- */

/* The one or two halfwords of an instruction; returns how many. What QEMU says of its size may be too much (counter.c). */
static size_t code_of(const struct qemu_plugin_insn *insn, uint16_t *code) {
  code[0] = code[1] = 0;
  if (data_is_copied) {
    ((size_t (*)(const struct qemu_plugin_insn *, void *, size_t))insn_data)(insn, code, 4);
  } else {
    const void *data = ((const void *(*)(const struct qemu_plugin_insn *))insn_data)(insn);
    memcpy(code, data, qemu_plugin_insn_size(insn) < 4 ? 2 : 4);
  }
  return is_wide(code[0]) ? 2 : 1;
}

static table_t part_numbers;

/* The part of that code: one for each address, length and content, however often it is translated. */
static part_t *part_for(part_t made, const uint16_t *code, size_t halfwords) {
  uint64_t hash = made.instructions;
  for (size_t i = 0; i < halfwords; i++) hash = (hash ^ code[i]) * UINT64_C(0x100000001B3);
  bool is_new;
  size_t *place = table_at(&part_numbers, made.start, hash, &is_new);
  if (!is_new) return parts[*place - 1];
  part_t *kept = grown(NULL, sizeof *kept);
  *kept = made;
  kept->number = parts_used;
  parts = with_room(parts, parts_used, sizeof *parts);
  parts[parts_used] = kept;
  if (parts_code_used + halfwords > parts_code_capacity) {
    parts_code_capacity = (parts_code_used + halfwords) * 2;
    parts_code = grown(parts_code, parts_code_capacity * sizeof *parts_code);
  }
  memcpy(parts_code + parts_code_used, code, halfwords * sizeof *code);
  if (!parts_code_at) parts_code_at = calloc(1, sizeof *parts_code_at);
  parts_code_at = grown(parts_code_at, (parts_used + 2) * sizeof *parts_code_at);
  parts_code_used += halfwords;
  parts_code_at[++parts_used] = parts_code_used;
  *place = parts_used;
  return kept;
}

static void watch_instruction(struct qemu_plugin_insn *insn, const uint16_t *code) {
  if (moves_stack(code[0])) {
    qemu_plugin_register_vcpu_mem_cb(insn, at_stack, CALLBACK_NO_REGISTERS, MEMORY_READ_AND_WRITE, NULL);
  }
  if (moves_several(code[0]) && !moves_stack(code[0])) {
    qemu_plugin_register_vcpu_mem_cb(insn, at_several, CALLBACK_NO_REGISTERS, MEMORY_READ_AND_WRITE, NULL);
  }
  if (code[0] == 0xBEAB && !semihosting) {
    void *address = (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn);
    qemu_plugin_register_vcpu_insn_exec_cb(insn, at_semihosting, CALLBACK_NO_REGISTERS, address);
  }
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  static uint16_t code[2 * 1024];
  size_t length = qemu_plugin_tb_n_insns(tb), halfwords = 0, first = 0;
  unsigned in_it = 0;
  if (length > 1024) {
    errno = E2BIG;
    die("a block of code");
  }
  for (size_t i = 0; i < length; i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    uint64_t address = qemu_plugin_insn_vaddr(insn);
    uint16_t *own = code + halfwords;
    size_t size = code_of(insn, own);
    halfwords += size;
    bool conditional = in_it > 0;
    in_it = in_it ? in_it - 1 : it_length(own[0]);
    watch_instruction(insn, own);
    uint64_t end = address + 2 * size;
    bool is_last = i + 1 == length;
    if (!is_last && !entry_at(end)) continue;
    uint64_t start = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, first));
    part_t made = {.start = start, .end = end, .instructions = i + 1 - first, .cell = SIZE_MAX};
    made.ending = size == 2 ? wide_ending(address, own[0], own[1]) : narrow_ending(address, own[0]);
    made.ending.conditional |= conditional;
    made.entry = entry_at(start);
    made.owner = owner_of(start);
    part_t *part = part_for(made, code, halfwords);
    if (first == 0) {
      qemu_plugin_register_vcpu_tb_exec_cb(tb, at_part, CALLBACK_NO_REGISTERS, part);
    } else {
      struct qemu_plugin_insn *head = qemu_plugin_tb_get_insn(tb, first);
      qemu_plugin_register_vcpu_insn_exec_cb(head, at_part, CALLBACK_NO_REGISTERS, part);
    }
    if (length == 1) {
      qemu_plugin_register_vcpu_mem_cb(insn, at_single, CALLBACK_NO_REGISTERS, MEMORY_READ_AND_WRITE, part);
    }
    first = i + 1;
    halfwords = 0;
  }
}

/* FILE of functions=: words of start, end, flags and region number of each function, sorted by start. */
static bool read_functions(const char *path) {
  FILE *from = fopen(path, "rb");
  uint64_t read[4];
  if (!from) return false;
  while (fread(read, sizeof read, 1, from) == 1) {
    functions = with_room(functions, functions_used, sizeof *functions);
    functions[functions_used++] = (function_t){read[0], read[1], (unsigned)read[2], (size_t)read[3]};
    if (read[2] & REGION && read[3] >= regions_used) regions_used = (size_t)read[3] + 1;
  }
  fclose(from);
  regions = calloc(regions_used + 1, sizeof *regions);
  if (!regions) die("memory");
  return true;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
  const char *out = NULL, *from = NULL;
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "probe=on") == 0) _exit(0);
    if (strncmp(argv[i], "out=", 4) == 0) {
      out = argv[i] + 4;
    } else if (strncmp(argv[i], "functions=", 10) == 0) {
      from = argv[i] + 10;
    } else if (strncmp(argv[i], "limit=", 6) == 0) {
      limit = strtoull(argv[i] + 6, NULL, 0);
    } else if (strcmp(argv[i], "semihosting=on") == 0) {
      semihosting = true;
    } else {
      fprintf(stderr, "flow: unknown argument %s\n", argv[i]);
      return 1;
    }
  }
  if (!out || !from || !info->system_emulation || info->system.smp_vcpus != 1) {
    fprintf(stderr, "flow: needs out=FILE, functions=FILE and a machine with one vCPU\n");
    return 1;
  }
  data_is_copied = info->version.cur >= 3;
  if (!read_functions(from)) {
    fprintf(stderr, "flow: %s: %s\n", from, strerror(errno));
    return 1;
  }
  if (!open_file(out, "TFLMFLO")) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, at_exit, NULL);
  return 0;
}
