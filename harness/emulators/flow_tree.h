/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Part of flow.c: functions as they are given, the tree of calling contexts, and what is counted for each region.
 */

/* ---- a table from pairs of numbers to an index ------------------------------------------------------------------- */

typedef struct {
  uint64_t a, b;
  size_t value;
} pair_t;

typedef struct {
  pair_t *slots;
  size_t size, used;
} table_t;

static size_t *table_at(table_t *table, uint64_t a, uint64_t b, bool *is_new) {
  if (table->used * 2 >= table->size) {
    table_t grown_table = {calloc(table->size ? table->size * 2 : 1024, sizeof(pair_t)),
                           table->size ? table->size * 2 : 1024, 0};
    if (!grown_table.slots) die("memory");
    for (size_t i = 0; i < table->size; i++) {
      bool ignored;
      pair_t *old = &table->slots[i];
      if (old->value) *table_at(&grown_table, old->a, old->b, &ignored) = old->value;
    }
    free(table->slots);
    *table = grown_table;
  }
  size_t slot = (size_t)((a * UINT64_C(0x9E3779B97F4A7C15) + b) * UINT64_C(0xD6E8FEB86659FD93) >> 24);
  for (slot &= table->size - 1; table->slots[slot].value; slot = (slot + 1) & (table->size - 1)) {
    if (table->slots[slot].a == a && table->slots[slot].b == b) {
      *is_new = false;
      return &table->slots[slot].value;
    }
  }
  table->slots[slot] = (pair_t){a, b, SIZE_MAX}; /* to be set by the caller, to anything but 0 */
  table->used++;
  *is_new = true;
  return &table->slots[slot].value;
}

/* A list that grows: room for one more element. */
static void *with_room(void *list, size_t used, size_t element) {
  if (used & (used - 1)) return list; /* its capacity is the next power of two */
  return grown(list, (used ? used * 2 : 1) * element);
}

/* ---- functions ---------------------------------------------------------------------------------------------------- */

enum { SIZED = 1, HANDLER = 2, REGION = 4, STOP = 8, RANGED = 16, SWITCHER = 32, SPLIT = 64 };

typedef struct {
  uint64_t start, end;
  unsigned flags;
  size_t region;
} function_t;

static function_t *functions; /* sorted; as FILE of functions= has them */
static size_t functions_used, regions_used;
static table_t called; /* targets of calls, of handlers that were learnt */

static const function_t *function_from(uint64_t address) {
  size_t low = 0, high = functions_used;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (functions[middle].start <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low ? &functions[low - 1] : NULL;
}

/* The function that begins at an address. */
static const function_t *entry_at(uint64_t address) {
  const function_t *found = function_from(address);
  return found && found->start == address ? found : NULL;
}

/* The function whose range holds an address. */
static const function_t *owner_of(uint64_t address) {
  const function_t *found = function_from(address);
  return found && found->flags & RANGED && address < found->end ? found : NULL;
}

static bool was_called(uint64_t address) {
  if (!called.size) return false;
  size_t slot = (size_t)((address * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xD6E8FEB86659FD93) >> 24);
  for (slot &= called.size - 1; called.slots[slot].value; slot = (slot + 1) & (called.size - 1)) {
    if (called.slots[slot].a == address) return true;
  }
  return false;
}

static void remember_call(uint64_t address) {
  bool ignored;
  table_at(&called, address, 0, &ignored);
}

/* ---- the tree of calling contexts ---------------------------------------------------------------------------------- */

enum { CONTEXT_CALL, CONTEXT_THREAD, CONTEXT_INTERRUPT };
enum { MOST_NODES = 200000, NODES_AT_ALL = 4000000 };

typedef struct {
  size_t parent; /* SIZE_MAX: a root */
  uint64_t function;
  uint64_t kind, calls, jumps; /* calls: all entries; jumps: those by a jump or by running into it */
} node_t;

static node_t *nodes;
static size_t nodes_used;
static bool folded;
static table_t children;

typedef struct {
  size_t node, part;
  uint64_t count;
} cell_t;

static cell_t *cells;
static size_t cells_used;
static table_t cell_of;

/* The context of a function that is called in another; a function that called itself is folded where the tree is full. */
static size_t context(size_t parent, uint64_t function, uint64_t kind) {
  bool is_new;
  size_t *place = table_at(&children, parent + 1, function << 2 | kind, &is_new);
  if (!is_new) return *place - 1;
  if (nodes_used >= MOST_NODES) {
    folded = true;
    for (size_t up = parent; up != SIZE_MAX; up = nodes[up].parent) {
      if (nodes[up].function == function) {
        *place = up + 1;
        return up;
      }
    }
    if (nodes_used >= NODES_AT_ALL) {
      errno = ENOMEM;
      die("too many calling contexts");
    }
  }
  nodes = with_room(nodes, nodes_used, sizeof *nodes);
  nodes[nodes_used] = (node_t){parent, function, kind, 0, 0};
  *place = ++nodes_used;
  return nodes_used - 1;
}

static size_t cell(size_t node, size_t part) {
  bool is_new;
  size_t *place = table_at(&cell_of, node, part, &is_new);
  if (is_new) {
    cells = with_room(cells, cells_used, sizeof *cells);
    cells[cells_used] = (cell_t){node, part, 0};
    *place = ++cells_used;
  }
  return *place - 1;
}

/* ---- what ran since the tree was told last --------------------------------------------------------------------------- */

static uint64_t *calls_told, *counts_told;
static size_t nodes_told, cells_told;

/* The words of section SEGMENT: what was added to the tree since they were put last. */
static void put_segment(void) {
  calls_told = grown(calls_told, (nodes_used + 1) * sizeof *calls_told);
  counts_told = grown(counts_told, (cells_used + 1) * sizeof *counts_told);
  while (nodes_told < nodes_used) calls_told[nodes_told++] = 0;
  while (cells_told < cells_used) counts_told[cells_told++] = 0;
  size_t length = words_used;
  put(0);
  for (size_t i = 0; i < nodes_used; i++) {
    if (nodes[i].calls == calls_told[i]) continue;
    put(i);
    put(nodes[i].calls - calls_told[i]);
    calls_told[i] = nodes[i].calls;
    words[length]++;
  }
  for (size_t i = 0; i < cells_used; i++) {
    if (cells[i].count == counts_told[i]) continue;
    put(cells[i].node);
    put(cells[i].part);
    put(cells[i].count - counts_told[i]);
    counts_told[i] = cells[i].count;
  }
}

/* ---- what the calls of a region took -------------------------------------------------------------------------------- */

enum { MOST_LISTED = 65536, MOST_DISTINCT = 1000000, ROUNDED_BITS = 10 };
enum { CALL_NESTED = 1, CALL_JUMPED_IN = 2, CALL_JUMPED_OUT = 4, CALL_UNWOUND = 8, CALL_INTERRUPTED = 16 };

/* How often each count occurred. */
typedef struct {
  table_t table;
  uint64_t *counts, *values;
  size_t used;
  bool rounded;
} values_t;

typedef struct {
  uint64_t at, own, interrupts, flags; /* at: what had been executed in all when it began */
} listed_t;

typedef struct {
  uint64_t calls, outermost, own, interrupts, open; /* outermost: calls not inside of another one; sums over those */
  uint64_t flagged[5];
  listed_t *listed;
  size_t listed_used;
  values_t own_values, all_values;
} region_t;

static region_t *regions;

static void add_value(values_t *values, uint64_t value) {
  bool is_new;
  if (values->used >= MOST_DISTINCT) values->rounded = true;
  if (values->rounded) { /* the ten highest bits stay */
    unsigned bits = value ? 64 - (unsigned)__builtin_clzll(value) : 0;
    if (bits > ROUNDED_BITS) value = value >> (bits - ROUNDED_BITS) << (bits - ROUNDED_BITS);
  }
  size_t *place = table_at(&values->table, value, 0, &is_new);
  if (is_new) {
    values->counts = with_room(values->counts, values->used, sizeof *values->counts);
    values->values = with_room(values->values, values->used, sizeof *values->values);
    values->values[values->used] = value;
    values->counts[values->used] = 0;
    *place = ++values->used;
  }
  values->counts[*place - 1] += 1;
}

static void add_call(region_t *region, uint64_t at, uint64_t own, uint64_t interrupts, unsigned flags) {
  if (interrupts) flags |= CALL_INTERRUPTED;
  region->calls++;
  for (unsigned i = 0; i < 5; i++) region->flagged[i] += flags >> i & 1;
  if (!(flags & CALL_NESTED)) {
    region->outermost++;
    region->own += own;
    region->interrupts += interrupts;
  }
  if (region->listed_used < MOST_LISTED) {
    region->listed = with_room(region->listed, region->listed_used, sizeof *region->listed);
    region->listed[region->listed_used++] = (listed_t){at, own, interrupts, flags};
  }
  add_value(&region->own_values, own);
  add_value(&region->all_values, own + interrupts);
}
