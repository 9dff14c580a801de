/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Part of flow.c: stacks of calls, of threads and of exceptions, and which of them goes on when an exception ends.
 *
 * An activation is a stack of calls: the one from reset, each further thread of a system that switches stacks, and each
 * exception while it is handled. What is executed counts for the activation that runs and for no other.
 */

typedef struct part {
  uint64_t start, end; /* end: behind its last instruction */
  uint64_t instructions;
  ending_t ending;
  const function_t *entry, *owner; /* the function that begins here; the one whose range holds it */
  size_t number;
  size_t node, cell;       /* of its last execution */
  const struct part *next; /* where it went on in the same function the last time, in that context: see `onwards` */
  size_t next_node, next_called;
} part_t;

typedef struct {
  size_t node;
  uint64_t function, returns_to; /* returns_to 0: the first frame of an activation */
  const function_t *owner, *region;
  bool is_jump; /* entered by a jump: it returns where the frame below returns */
  unsigned flags;
  uint64_t at, own, interrupts; /* executed in all, and the activation's, when it was entered */
} frame_t;

typedef struct activation {
  struct activation *below; /* of an exception: what it interrupted */
  bool is_exception;
  bool switches; /* its handler, or one that ended right before it, is that of SVC or PendSV: it may switch stacks */
  frame_t *frames;
  size_t depth;
  uint64_t own, interrupts; /* executed in it, and in exceptions that interrupted it */
  part_t *last;
  uint64_t repeats_from;    /* QEMU abandoned its last block there (see counter.c) */
  uint64_t stack;           /* where it last pushed or popped, or was saved; 0: not known */
  uint64_t saved, restored; /* of an exception: where it first stored and last loaded several registers; 0: nowhere */
  size_t *region_depth;
} activation_t;

enum { MOST_DEPTH = 4000000, MOST_THREADS = 4096, MOST_QUEUED = 65536 };

/* What could not be followed for certain; the order is that of section NOTES. */
typedef struct {
  uint64_t executed, in_exceptions, repeated;
  uint64_t exceptions, switches, threads;
  uint64_t guessed_switches; /* several stacks could go on there, and nothing told which */
  uint64_t learnt_handlers;  /* entered as exceptions, but not in the vector table at reset */
  uint64_t unwound;          /* frames left without their own return */
  uint64_t odd_returns;      /* returns to where nothing was called from */
  uint64_t unexplained, unexplained_from, unexplained_to;
  uint64_t interrupted_inside, inside_at; /* blocks that a fault left in the middle: counted in full */
  uint64_t deepest;
} notes_t;

static notes_t notes;
static activation_t *current;
static activation_t *parked[MOST_THREADS];
static size_t parked_used;

static activation_t *candidates[MOST_THREADS + 1]; /* stacks that may have been switched to */
static size_t candidates_used;
static part_t **queued; /* blocks that wait for one of them to be chosen */
static size_t queued_used;

/* ---- frames ------------------------------------------------------------------------------------------------------- */

static frame_t *top(const activation_t *of) { return &of->frames[of->depth - 1]; }

static void push(activation_t *on, const part_t *part, uint64_t function, uint64_t returns_to, bool is_jump) {
  if (on->depth >= MOST_DEPTH) {
    errno = ENOMEM;
    die("calls that are too deep");
  }
  bool is_first = on->depth == 0;
  size_t parent = is_first ? SIZE_MAX : top(on)->node;
  uint64_t kind = !is_first ? CONTEXT_CALL : on->is_exception ? CONTEXT_INTERRUPT : CONTEXT_THREAD;
  const function_t *begins = part->start == function ? part->entry : NULL;
  frame_t frame = {.node = context(parent, function, kind),
                   .function = function,
                   .returns_to = returns_to,
                   .owner = owner_of(function),
                   .is_jump = is_jump,
                   .at = notes.executed,
                   .own = on->own,
                   .interrupts = on->interrupts};
  nodes[frame.node].calls++;
  if (is_jump) nodes[frame.node].jumps++;
  if (begins && begins->flags & REGION) {
    frame.region = begins;
    if (is_jump) frame.flags |= CALL_JUMPED_IN;
    if (on->region_depth[begins->region]++) frame.flags |= CALL_NESTED;
  }
  if (is_jump && !is_first && top(on)->region) top(on)->flags |= CALL_JUMPED_OUT;
  on->frames = with_room(on->frames, on->depth, sizeof *on->frames);
  on->frames[on->depth++] = frame;
  if (on->depth > notes.deepest) notes.deepest = on->depth;
}

static void pop(activation_t *from, bool by_return) {
  frame_t *frame = &from->frames[--from->depth];
  if (!by_return) notes.unwound++;
  if (!frame->region) return;
  size_t number = frame->region->region;
  from->region_depth[number]--;
  unsigned flags = frame->flags | (by_return ? 0 : CALL_UNWOUND);
  add_call(&regions[number], frame->at, from->own - frame->own, from->interrupts - frame->interrupts, flags);
}

/* The lowest frame of those at the top that return to one place; `depth` is one above the highest of them. */
static size_t chain_below(const activation_t *in, size_t depth) {
  size_t at = depth - 1;
  while (at && in->frames[at].is_jump) at--;
  return at;
}

static bool is_at_root(const activation_t *in) { return chain_below(in, in->depth) == 0; }

/* Leaves the frames above `depth`, of which those of the highest chain count as returned where `by_return`. */
static void leave_to(activation_t *in, size_t depth, bool by_return) {
  size_t returned = by_return ? chain_below(in, in->depth) : in->depth;
  if (by_return && depth < returned) { /* an outer chain returns for the inner ones, too */
    while (in->depth > depth) {
      size_t chain = chain_below(in, in->depth);
      bool outer = chain == depth;
      while (in->depth > chain) pop(in, outer);
    }
    return;
  }
  while (in->depth > depth) pop(in, by_return);
}

/* The number of frames that stay where a return to an address leaves the others; SIZE_MAX: no frame returns there. */
static size_t returning_to(const activation_t *in, uint64_t address) {
  for (size_t depth = in->depth; depth;) {
    size_t chain = chain_below(in, depth);
    if (in->frames[depth - 1].returns_to == address && chain) return chain;
    depth = chain;
  }
  return SIZE_MAX;
}

/* ---- activations --------------------------------------------------------------------------------------------------- */

static activation_t *activation(const part_t *part, activation_t *below, bool is_exception) {
  activation_t *made = grown(NULL, sizeof *made);
  *made = (activation_t){.below = below, .is_exception = is_exception};
  made->region_depth = calloc(regions_used + 1, sizeof *made->region_depth);
  if (!made->region_depth) die("memory");
  push(made, part, part->entry || !part->owner ? part->start : part->owner->start, 0, false);
  if (is_exception) notes.exceptions++;
  if (!is_exception) notes.threads++;
  return made;
}

/* The handler is done: what it executed counts as interrupts of what it interrupted. */
static void end_exception(activation_t *handler) {
  while (handler->depth) pop(handler, handler->depth == 1 || handler->frames[handler->depth - 1].is_jump);
  handler->below->interrupts += handler->own + handler->interrupts;
  current = handler->below;
  free(handler->frames);
  free(handler->region_depth);
  free(handler);
}

static void park(activation_t *thread) {
  if (parked_used == MOST_THREADS) { /* the oldest is given up; its memory stays, for regions that are open in it */
    memmove(parked, parked + 1, (MOST_THREADS - 1) * sizeof *parked);
    parked_used--;
  }
  parked[parked_used++] = thread;
}

static void unpark(const activation_t *thread) {
  for (size_t i = 0; i < parked_used; i++) {
    if (parked[i] == thread) {
      memmove(parked + i, parked + i + 1, (parked_used - i - 1) * sizeof *parked);
      parked_used--;
      return;
    }
  }
}

/* Whether code that was interrupted behind its last block may go on at an address. */
static bool goes_on_at(const activation_t *stopped, const part_t *part) {
  const part_t *last = stopped->last;
  if (!last) return false;
  uint64_t address = part->start;
  if (stopped->repeats_from == address) return true;
  bool at_end = address == last->end;
  switch (last->ending.leaves) {
    case FALLS:
      return at_end;
    case JUMPS:
    case CALLS:
      return address == last->ending.target || (last->ending.conditional && at_end);
    case CALLS_REGISTER:
      return part->entry || was_called(address) || (last->ending.conditional && at_end);
    default:
      if (last->ending.conditional && at_end) return true;
      if (returning_to(stopped, address) != SIZE_MAX) return true;
      return last->ending.leaves != RETURNS && part->owner && part->owner == top(stopped)->owner;
  }
}

static bool went_on_inside(const activation_t *stopped, const part_t *part) {
  return stopped->last && part->start >= stopped->last->start && part->start < stopped->last->end;
}

static void begin_exception(part_t *part) {
  /* A handler that returns while another exception waits does not go back in between (tail-chaining). */
  activation_t before = *current;
  leaves_t leaves = current->last->ending.leaves;
  bool switched = leaves == JUMPS_REGISTER && current->switches && current->restored;
  bool returned = leaves == RETURNS || (leaves == JUMPS_REGISTER && current->switches);
  bool chained = current->is_exception && (switched || (returned && is_at_root(current)));
  if (chained) end_exception(current);
  if (!(part->entry && part->entry->flags & HANDLER)) notes.learnt_handlers += !was_called(part->start);
  remember_call(part->start);
  current = activation(part, current, true);
  current->switches = part->entry && part->entry->flags & SWITCHER;
  if (chained && before.switches) {
    current->switches = true;
    current->saved = before.saved;
    current->restored = before.restored;
  }
}

static uint64_t distance(const activation_t *thread, uint64_t stack) {
  if (!thread->stack) return UINT64_MAX;
  return thread->stack > stack ? thread->stack - stack : stack - thread->stack;
}

static void switch_to(activation_t *chosen) {
  if (chosen == current) return;
  notes.switches++;
  unpark(chosen);
  park(current);
  current = chosen;
}

/* The candidate whose stack is nearest to an address, NULL where no stack is known. */
static activation_t *nearest_candidate(uint64_t stack) {
  activation_t *nearest = NULL;
  for (size_t i = 0; i < candidates_used; i++) {
    if (!candidates[i]->stack) continue;
    if (!nearest || distance(candidates[i], stack) < distance(nearest, stack)) nearest = candidates[i];
  }
  return nearest;
}

/* The stacks that may go on at a block. A handler that neither is of SVC or PendSV nor loaded several registers goes
 * back to what it interrupted, where it can. */
static void find_candidates(activation_t *thread, const part_t *part) {
  candidates_used = 0;
  if (goes_on_at(thread, part)) candidates[candidates_used++] = thread;
  if (thread->is_exception || (candidates_used && !current->switches && !current->restored)) return;
  for (size_t i = 0; i < parked_used; i++) {
    if (goes_on_at(parked[i], part)) candidates[candidates_used++] = parked[i];
  }
}

/* The handler that runs returns to a block; false: it is no return from an exception.
 *
 * It goes on in what was interrupted or in another thread that was left there; without one in a new thread. Several
 * were left at the same place where they wait in the same function. Then the registers that the handler of SVC or PendSV
 * restored tell by their place in memory which goes on, or else the next push or pop; until then blocks wait. */
static bool return_from_exception(part_t *part, bool must) {
  activation_t *thread = current->below;
  while (thread->is_exception && !goes_on_at(thread, part)) thread = thread->below;
  find_candidates(thread, part);
  bool switches = current->switches;
  /* A function that begins may be another thread's first, also where the interrupted one has just begun the same. */
  bool inside = !candidates_used && went_on_inside(thread, part) && !(switches && part->entry);
  if (!candidates_used && !inside && !must) return false;
  uint64_t saved = switches ? current->saved : 0, restored = switches ? current->restored : 0;
  while (current != thread) end_exception(current);
  activation_t *restored_candidate = candidates_used > 1 && restored ? nearest_candidate(restored) : NULL;
  if (inside) {
    notes.interrupted_inside++;
    notes.inside_at = part->start;
    current->last = NULL;
  } else if (!candidates_used) {
    notes.switches++;
    park(thread);
    current = activation(part, NULL, false);
  } else if (candidates_used == 1 || restored_candidate) {
    switch_to(restored_candidate ? restored_candidate : candidates[0]);
    candidates_used = 0;
  }
  if (saved && current != thread) thread->stack = saved;
  return true;
}
