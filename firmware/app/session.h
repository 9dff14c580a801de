// A model on an interpreter: what the applications share.
#ifndef HARNESS_SESSION_H_
#define HARNESS_SESSION_H_

#include "image.h"
#include "resolver.h"

// Name of the kernel set that is linked in (kernels/ops.cc).
extern "C" const char harness_kernels[];

namespace harness {

// Prints what TFLM reports without its arguments: that of July 2020 passes a va_list where it means the arguments
// themselves, so what it would print in their place is noise. Today's reports nothing here, but logs (glue.cc).
class Reporter : public tflite::ErrorReporter {
 public:
  int Report(const char *format, va_list arguments) override;

  // Messages that come while it is on are not printed but the last one is kept: an inference must not be measured
  // together with its console (float MUL of this vintage reports an error each time that is none).
  void Hold(bool on);
  void PrintHeld();

  // Whether a message is to be printed now; keeps it where it may have to be later.
  bool Passes(const char *format);

  bool quiet = false;

 private:
  void Print(const char *format);

  bool holding_ = false;
  const char *held_ = nullptr;

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

Reporter *reporter();

// "@begin ..." with the vintage and kernel set that the library was built for.
void PrintBegin();

// "@error stage=... node=..."; returns the status to end with.
int PrintError(const char *stage, int node);

// Whether the model in memory is the one that was built in; prints an error where it is not.
bool ModelIsWhole(const harness_image *image);

// "@error" for an allocation that failed, naming the operator if it was one's; returns the status to end with.
int PrintAllocationError();

// Copies the image's inputs to the model's; false where they are not of the same number and sizes.
bool CopyInputs(const harness_image *image, tflite::MicroInterpreter *interpreter);

// Makes the interpreter in static memory, on the first `arena_size` bytes of the arena.
tflite::MicroInterpreter *MakeInterpreter(const harness_image *image, size_t arena_size);

}  // namespace harness

#endif  // HARNESS_SESSION_H_
