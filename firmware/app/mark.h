/* The mark: a function that is called where a segment of the count ends. On an emulator, whose counter sees the call, it
 * does nothing (mark.c); on a board it samples the core's cycle counter (../targets/boards/mark_cycles.c).
 *
 * The order of the calls is the meaning (harness/pipeline.py): before Invoke; for each operator, in order of execution:
 * before its Eval, after its Eval, after the CRC of its outputs; after Invoke. */
#ifndef HARNESS_MARK_H_
#define HARNESS_MARK_H_

#ifdef __cplusplus
extern "C" {
#endif

void harness_mark(void);

/* Before the first mark: starts a counter of the marks' own and prints what it counts ("@board ..."). */
void harness_marks_begin(void);

/* After the last mark: prints what was counted ("@cycles ..."). */
void harness_marks_print(void);

/* Where an emulator's counter stops; returns on nothing that it stops, loops elsewhere. */
void harness_end(void) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_MARK_H_ */
