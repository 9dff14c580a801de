#include "format.h"

#include <stdint.h>
#include <string.h>

static void number(format_emit emit, void *sink, uint64_t value, unsigned base) {
  char digits[20];
  size_t count = 0;
  do {
    digits[count++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0);
  while (count > 0) emit(sink, digits[--count]);
}

static void text(format_emit emit, void *sink, const char *string) {
  for (const char *c = string != NULL ? string : "(null)"; *c != '\0'; ++c) emit(sink, *c);
}

void format_write(format_emit emit, void *sink, const char *format, va_list arguments) {
  for (const char *c = format; *c != '\0'; ++c) {
    if (*c != '%') {
      emit(sink, *c);
      continue;
    }
    for (++c; *c != '\0' && strchr("-+ #0123456789.", *c) != NULL;) ++c;
    int longs = 0, size = 0;
    for (; *c == 'l' || *c == 'z' || *c == 'h'; ++c) {
      longs += *c == 'l';
      size |= *c == 'z';
    }
    if (*c == '\0') return;
    if (*c == 'd' || *c == 'i') {
      int64_t value = longs > 1            ? va_arg(arguments, long long)
                      : longs == 1 || size ? va_arg(arguments, long)
                                           : va_arg(arguments, int);
      if (value < 0) emit(sink, '-');
      number(emit, sink, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
    } else if (*c == 'u' || *c == 'x' || *c == 'X') {
      uint64_t value = longs > 1            ? va_arg(arguments, unsigned long long)
                       : longs == 1 || size ? va_arg(arguments, unsigned long)
                                            : va_arg(arguments, unsigned);
      number(emit, sink, value, *c == 'u' ? 10 : 16);
    } else if (*c == 'p') {
      number(emit, sink, (uintptr_t)va_arg(arguments, void *), 16);
    } else if (*c == 'c') {
      emit(sink, (char)va_arg(arguments, int));
    } else if (*c == 's') {
      text(emit, sink, va_arg(arguments, const char *));
    } else if (*c == '%') {
      emit(sink, '%');
    } else {
      if (strchr("fFeEgG", *c) != NULL) (void)va_arg(arguments, double);
      emit(sink, '?');
    }
  }
}
