/* The mark: a function that does nothing and is called where a segment of the count ends.
 *
 * The order of the calls is the meaning (harness/pipeline.py): before Invoke; for each operator, in order of execution:
 * before its Eval, after its Eval, after the CRC of its outputs; after Invoke. */
#ifndef HARNESS_MARK_H_
#define HARNESS_MARK_H_

#ifdef __cplusplus
extern "C" {
#endif

void harness_mark(void);

/* Where an emulator's counter stops; returns on nothing that it stops, loops elsewhere. */
void harness_end(void) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_MARK_H_ */
