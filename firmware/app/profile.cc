// The application that is measured: one inference between marks, outputs checked by CRC and printed.
#include "hal.h"
#include "image.h"
#include "mark.h"
#include "print.h"
#include "session.h"
#include "wire.h"

namespace {

void PrintResults(const harness_image *image, tflite::MicroInterpreter *interpreter, uint32_t stack_used) {
  print_begin(WIRE_STACK);
  print_unsigned("used", stack_used);
  print_unsigned("reserved", hal_stack_reserved());
  print_end();
  for (size_t i = 0; i < harness::Resolver::progress.invoked && i < image->node_count; ++i) {
    print_begin(WIRE_NODE);
    print_unsigned("index", i);
    print_hex32("crc32", image->crcs[i]);
    print_end();
  }
  for (size_t i = 0; i < interpreter->outputs_size(); ++i) {
    const TfLiteTensor *output = interpreter->output(i);
    print_begin(WIRE_OUTPUT);
    print_unsigned("index", i);
    print_unsigned("size", output->bytes);
    print_end();
    print_data(reinterpret_cast<const uint8_t *>(output->data.raw), output->bytes);
  }
}

}  // namespace

extern "C" int app_profile(void) {
  const harness_image *image = firmware_image();
  harness::PrintBegin();
  if (!harness::ModelIsWhole(image)) return WIRE_STATUS_ERROR;
  harness_marks_begin();
  tflite::MicroInterpreter *interpreter = harness::MakeInterpreter(image, hal_arena_size());
  if (interpreter->AllocateTensors() != kTfLiteOk) return harness::PrintAllocationError();
  if (!harness::CopyInputs(image, interpreter)) return harness::PrintError(WIRE_STAGE_INPUT, -1);

  harness::reporter()->Hold(true);
  harness_mark();
  TfLiteStatus status = interpreter->Invoke();
  harness_mark();
  harness::reporter()->Hold(false);

  uint32_t stack_used = hal_stack_used();
  if (status != kTfLiteOk) {
    harness::reporter()->PrintHeld();
    return harness::PrintError(WIRE_STAGE_INVOKE, harness::Resolver::progress.invoking);
  }
  harness_marks_print();
  PrintResults(image, interpreter, stack_used);
  return WIRE_STATUS_OK;
}
