/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Part of flow.c: goes from one block to the next: calls, returns, jumps, exceptions, and blocks that wait until it is
 * known which thread they are of.
 */

/* ---- one step ------------------------------------------------------------------------------------------------------ */

static bool is_handler(const part_t *part) { return part->entry && part->entry->flags & HANDLER; }

static bool begins_function(const part_t *part) { return part->entry || was_called(part->start); }

/* A jump, or running on, into what may be another function. */
static void jump(part_t *part) {
  frame_t *frame = top(current);
  if (part->start == frame->function) return;
  bool begins = begins_function(part);
  if (!begins && (!part->owner || part->owner == frame->owner)) return;
  if (!begins && frame->returns_to == part->start) {
    leave_to(current, chain_below(current, current->depth), true);
    return;
  }
  uint64_t function = begins ? part->start : part->owner->start;
  size_t chain = chain_below(current, current->depth);
  for (size_t at = current->depth; at-- > chain;) { /* back into a function of the same chain: no new call */
    if (current->frames[at].function == function || (!begins && current->frames[at].owner == part->owner)) {
      while (current->depth > at + 1) pop(current, true);
      return;
    }
  }
  push(current, part, function, frame->returns_to, true);
}

static void call(part_t *part, const part_t *from) {
  /* Armv6-M has no far branch but BL: inside of a function that the compiler made it is a jump. */
  const function_t *own = top(current)->owner;
  if (!part->entry && own && own == part->owner && own->flags & SIZED) return;
  if (!part->entry && part->start == from->end) return; /* BL to what follows reads the PC */
  remember_call(part->start);
  push(current, part, part->start, from->end, false);
}

/* A branch to an address in a register. */
static void leave(part_t *part, leaves_t leaves) {
  if (leaves != JUMPS_TABLE) {
    size_t chain = chain_below(current, current->depth);
    if (chain && top(current)->returns_to == part->start) {
      leave_to(current, chain, true);
      return;
    }
    /* Where SVC or PendSV has saved or restored registers and branches to a function, that is a thread's first, also from
     * a function that the handler called. */
    bool switches = current->switches && (current->saved || current->restored) && part->entry;
    bool may_return = chain == 0 || (switches && returning_to(current, part->start) == SIZE_MAX);
    bool must = switches || (leaves == RETURNS && (current->switches || current->restored || !part->entry));
    if (current->is_exception && may_return && return_from_exception(part, must)) {
      return; /* the block is followed from there */
    }
  }
  bool begins = begins_function(part);
  if (!begins && part->owner && part->owner == top(current)->owner && leaves != RETURNS) return;
  size_t stay = leaves == JUMPS_TABLE ? SIZE_MAX : returning_to(current, part->start);
  if (stay != SIZE_MAX) {
    leave_to(current, stay, true);
    return;
  }
  bool starts = leaves == RETURNS && part->entry && part->start != top(current)->function;
  if (starts && (current->is_exception || !is_at_root(current))) {
    begin_exception(part); /* of a vector table in RAM; a thread's own function returns to where it was told to */
    return;
  }
  if (begins) {
    jump(part);
    return;
  }
  for (size_t at = current->depth; part->owner && at-- > 0;) { /* back into a function that is still open: longjmp */
    if (current->frames[at].owner == part->owner) {
      leave_to(current, at + 1, false);
      return;
    }
  }
  notes.odd_returns += leaves == RETURNS;
  jump(part);
}

static void unexplained(part_t *part, const part_t *last) {
  if (part->start >= last->start && part->start < last->end) {
    notes.interrupted_inside++;
    notes.inside_at = part->start;
    return;
  }
  if (part->entry || was_called(part->start)) {
    begin_exception(part);
    return;
  }
  notes.unexplained++;
  notes.unexplained_from = last->start;
  notes.unexplained_to = part->start;
  jump(part);
}

/* Goes from the last block of the activation that runs to the next block. */
static void step(part_t *part) {
  const part_t *last = current->last;
  if (!last) return;
  const ending_t *ending = &last->ending;
  uint64_t address = part->start;
  bool at_end = address == last->end;
  switch (ending->leaves) {
    case FALLS:
      if (!at_end) break;
      if (part->entry) jump(part);
      return;
    case JUMPS:
    case CALLS:
      if (address == ending->target) {
        if (ending->leaves == CALLS) {
          call(part, last);
        } else {
          jump(part);
        }
        return;
      }
      if (!ending->conditional || !at_end) break;
      if (part->entry) jump(part);
      return;
    default:
      if (ending->conditional && at_end) {
        if (part->entry) jump(part);
        return;
      }
      if (is_handler(part) && !(top(current)->returns_to == address)) {
        begin_exception(part);
      } else if (ending->leaves == CALLS_REGISTER) {
        call(part, last);
      } else {
        leave(part, ending->leaves);
      }
      return;
  }
  unexplained(part, last);
}

static void count(part_t *part) {
  size_t node = top(current)->node;
  if (part->cell == SIZE_MAX || part->node != node) {
    part->node = node;
    part->cell = cell(node, part->number);
  }
  cells[part->cell].count++;
  current->own += part->instructions;
  notes.executed += part->instructions;
  if (current->is_exception) notes.in_exceptions += part->instructions;
  current->last = part;
}

/* QEMU abandoned the last block before an access to a device, ran that instruction, and comes back behind it: the
 * last block counted in full, this one with it. */
static bool repeats(const part_t *part) {
  if (!current->repeats_from || current->repeats_from != part->start) return false;
  current->repeats_from = 0;
  const part_t *last = current->last;
  if (!last || part->start <= last->start || part->start >= last->end) return false;
  if (part->end != last->end) notes.interrupted_inside++;
  notes.repeated++;
  return true;
}

static void follow(part_t *part) {
  if (!current) {
    current = activation(part, NULL, false);
  } else {
    if (repeats(part)) return;
    activation_t *before = current;
    step(part);
    if (candidates_used) { /* it returned from an exception, to one of several */
      queued_used = 0;
      queued = with_room(queued, queued_used, sizeof *queued);
      queued[queued_used++] = part;
      return;
    }
    if (current != before && current->last) { /* it returned from an exception: goes on behind its own last block */
      if (repeats(part)) return;
      step(part);
    }
  }
  count(part);
}

/* ---- which of several threads goes on ------------------------------------------------------------------------------- */

/* The candidate whose stack is nearest to an address; with 0, or where no stack is known, the one that waits longest.
 * The blocks that waited follow. */
static void choose(uint64_t stack) {
  activation_t *chosen = stack ? nearest_candidate(stack) : NULL;
  if (!chosen) {
    chosen = candidates[candidates_used > 1 && candidates[0] == current];
    notes.guessed_switches++;
  }
  candidates_used = 0;
  switch_to(chosen);
  for (size_t i = 0; i < queued_used; i++) {
    if (i) {
      follow(queued[i]);
    } else if (!repeats(queued[i])) {
      step(queued[i]);
      count(queued[i]);
    }
  }
  queued_used = 0;
}

/* Whether a block goes on in a function as it did before, which most do: nothing has to be found out again. */
static bool onwards(const part_t *part) {
  const part_t *last = current->last;
  return last && last->next == part && last->next_node == top(current)->node && last->next_called == called.used &&
         !current->repeats_from;
}

static void remember_next(part_t *last, const part_t *part) {
  if (!last || last->ending.leaves > JUMPS || part->entry) return;
  if (part->start != last->end && part->start != last->ending.target) return;
  last->next = part;
  last->next_node = top(current)->node;
  last->next_called = called.used;
}

/* Each block comes here. */
static void arrive(part_t *part) {
  if (!candidates_used) {
    if (current && onwards(part)) {
      count(part);
      return;
    }
    activation_t *before = current;
    part_t *last = current ? current->last : NULL;
    size_t depth = current ? current->depth : 0, node = current ? top(current)->node : 0;
    follow(part);
    bool stayed = !candidates_used && current == before && current->last == part;
    if (stayed && current->depth == depth && top(current)->node == node) remember_next(last, part);
    return;
  }
  if (is_handler(part) || queued_used >= MOST_QUEUED) {
    choose(0);
    follow(part);
    return;
  }
  queued = with_room(queued, queued_used, sizeof *queued);
  queued[queued_used++] = part;
}

static void at_stack(unsigned vcpu, uint32_t info, uint64_t address, void *user) {
  (void)vcpu, (void)info, (void)user;
  if (!file) return;
  if (candidates_used) choose(address);
  if (current) current->stack = address;
}

static void at_several(unsigned vcpu, uint32_t info, uint64_t address, void *user) {
  (void)vcpu, (void)user;
  if (!file || !current || !current->is_exception) return;
  if (!qemu_plugin_mem_is_store(info)) {
    current->restored = address;
  } else if (!current->saved) {
    current->saved = address;
  }
}
