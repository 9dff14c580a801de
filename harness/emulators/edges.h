/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Part of counter.c: what a block does when it is entered, where edges and lines of the flash are asked for.
 */

enum { PAGE = 1024 };

typedef struct {
  uint64_t start, end, other_end; /* it goes on at one of both ends, or was left by a branch */
  int64_t first_line, last_line;
  uint64_t *taken; /* of the part that the block is left from */
} visit_t;

static bool edges, flash_known;
static uint64_t **taken_chunks; /* times that block i was left by a branch, since the last cut */
static size_t taken_used;
static const visit_t *last_visit;
static uint64_t more_accesses; /* what a bus makes of unaligned ones: odd words are a byte, a halfword and a byte */

static uint64_t *taken_of(size_t index) {
  while (taken_used <= index / CHUNK) {
    taken_chunks = grown(taken_chunks, (taken_used + 1) * sizeof *taken_chunks);
    taken_chunks[taken_used] = calloc(CHUNK, sizeof(uint64_t));
    if (!taken_chunks[taken_used++]) die("memory");
  }
  return &taken_chunks[index / CHUNK][index % CHUNK];
}

static void at_block(unsigned vcpu, void *user) {
  (void)vcpu;
  const visit_t *now = user;
  if (last_visit && now->start != last_visit->end && now->start != last_visit->other_end) *last_visit->taken += 1;
  last_visit = now;
  fetch_lines(now->first_line, now->last_line);
}

/* QEMU 7.2 gives stores to those who ask for loads alone. Nothing is stored to the flash, so that all are taken. */
static void at_access(unsigned vcpu, uint32_t info, uint64_t address, void *user) {
  (void)vcpu, (void)user;
  if (flash_known) load_from(address);
  if (address & 3) {
    uint64_t size = UINT64_C(1) << qemu_plugin_mem_size_shift(info);
    if (size == 2) more_accesses += address & 1;
    if (size >= 4) more_accesses += address & 1 ? 2 : 1;
  }
}

/* Behind the last instruction. Where that one is no branch and ends two bytes before a page, QEMU has looked at the next
 * halfword too and counts it in: its end is then one of two addresses. */
static void block_end(const struct qemu_plugin_insn *last, visit_t *visit) {
  uint64_t address = qemu_plugin_insn_vaddr(last);
  size_t size = qemu_plugin_insn_size(last);
  visit->end = address + (size > 4 ? 4 : size);
  visit->other_end = address % PAGE == PAGE - 4 && size == 4 ? address + 2 : visit->end;
}

static void watch_block(struct qemu_plugin_tb *tb, size_t left_from) {
  size_t length = qemu_plugin_tb_n_insns(tb);
  visit_t *visit = grown(NULL, sizeof *visit);
  visit->start = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
  block_end(qemu_plugin_tb_get_insn(tb, length - 1), visit);
  visit->taken = taken_of(left_from);
  lines_between(flash_known ? visit->start : visit->end, visit->end, &visit->first_line, &visit->last_line);
  qemu_plugin_register_vcpu_tb_exec_cb(tb, at_block, CALLBACK_NO_REGISTERS, visit);
  for (size_t i = 0; i < length; i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    qemu_plugin_register_vcpu_mem_cb(insn, at_access, CALLBACK_NO_REGISTERS, MEMORY_READ_AND_WRITE, NULL);
  }
}
