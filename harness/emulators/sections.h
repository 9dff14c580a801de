/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Part of counter.c and flow.c: memory that has to be there, and the file of sections that both write. A section is
 * its kind, the number of its words, and these; all of 64 bits. PLUGIN is the plugin's name in messages, WRITING what is
 * being done where the file cannot be written.
 */

static FILE *file; /* what is written; NULL: the run has ended */
static uint64_t *words;
static size_t words_used, words_capacity;

static void die(const char *what) {
  fprintf(stderr, PLUGIN ": %s: %s\n", what, strerror(errno));
  _exit(1);
}

static void *grown(void *old, size_t bytes) {
  void *memory = realloc(old, bytes);
  if (!memory) die("memory");
  return memory;
}

/* False, with a message: there is no such place. */
static bool open_file(const char *path, const char magic[8]) {
  static const uint64_t format = 1;
  file = fopen(path, "wb");
  if (!file) {
    fprintf(stderr, PLUGIN ": %s: %s\n", path, strerror(errno));
    return false;
  }
  if (fwrite(magic, 8, 1, file) != 1 || fwrite(&format, sizeof format, 1, file) != 1) die(WRITING);
  return true;
}

static void put(uint64_t word) {
  if (words_used == words_capacity) {
    words_capacity = words_capacity ? words_capacity * 2 : 8192;
    words = grown(words, words_capacity * sizeof *words);
  }
  words[words_used++] = word;
}

static void begin_section(uint64_t kind) {
  words_used = 0;
  put(kind);
  put(0);
}

static void end_section(void) {
  words[1] = words_used - 2;
  if (fwrite(words, sizeof *words, words_used, file) != words_used) die(WRITING);
}
