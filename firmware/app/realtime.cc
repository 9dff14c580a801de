// The application that keeps up with a source of samples: a timer's interrupt delivers them, an inference must be over
// before the next input is whole, and the core sleeps in between. It counts what was late or lost, and the time asleep.
#include <string.h>

#include "crc32.h"
#include "hal.h"
#include "image.h"
#include "print.h"
#include "session.h"
#include "wire.h"

namespace {

constexpr size_t kAlignment = 16;  // of TFLM's buffers
constexpr size_t kMostInputs = 48;

size_t Aligned(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

// What the interrupt fills and the loop takes. `arrived` and `lost` are written by the interrupt alone.
struct {
  const harness_schedule *schedule;
  const harness_image *image;
  uint8_t *filling[kMostInputs];  // one buffer for each input of the model
  uint8_t *whole[kMostInputs];
  uint32_t interrupt;  // of the input that is being filled
  volatile uint32_t arrived;
  volatile uint32_t taken;
  volatile uint32_t lost;
  volatile uint64_t arrival;  // ticks, when the whole one became so
  volatile uint64_t handler;  // ticks
} source;

// A part of each input, as large as every other part but for the last one's remainder.
void Deliver(uint32_t part, uint32_t parts) {
  for (size_t i = 0; i < source.image->input_count; ++i) {
    const harness_input &input = source.image->inputs[i];
    size_t piece = input.size / parts, begin = piece * part;
    size_t size = part + 1 == parts ? input.size - begin : piece;
    memcpy(source.filling[i] + begin, input.data + begin, size);
  }
}

void OnTick() {
  const harness_schedule &schedule = *source.schedule;
  uint64_t begin = static_cast<uint64_t>(hal_timer_rounds()) * schedule.ticks;
  if (source.arrived + source.lost < schedule.frames) {
    Deliver(source.interrupt, schedule.interrupts);
    if (++source.interrupt == schedule.interrupts) {
      source.interrupt = 0;
      if (source.arrived != source.taken) {
        source.lost = source.lost + 1;  // the loop has not taken the one before: this one has no place
      } else {
        for (size_t i = 0; i < source.image->input_count; ++i) {
          uint8_t *buffer = source.whole[i];
          source.whole[i] = source.filling[i];
          source.filling[i] = buffer;
        }
        source.arrival = begin;
        source.arrived = source.arrived + 1;
      }
    }
  }
  source.handler = source.handler + (hal_timer_now() - begin);
}

uint32_t OutputCrc(tflite::MicroInterpreter *interpreter) {
  uint32_t crc = 0;
  for (size_t i = 0; i < interpreter->outputs_size(); ++i) {
    const TfLiteTensor *output = interpreter->output(i);
    crc = crc32_update(crc, reinterpret_cast<const uint8_t *>(output->data.raw), output->bytes);
  }
  return crc;
}

// Two buffers for each input behind the arena, which gets what is left; 0 where there is not enough.
size_t PlaceBuffers(const harness_image *image) {
  size_t bytes = 0;
  for (size_t i = 0; i < image->input_count; ++i) bytes += 2 * Aligned(image->inputs[i].size);
  if (image->input_count > kMostInputs || bytes > hal_arena_size()) return 0;
  size_t arena_size = (hal_arena_size() - bytes) / kAlignment * kAlignment;
  uint8_t *at = hal_arena() + arena_size;
  for (size_t i = 0; i < image->input_count; ++i) {
    source.filling[i] = at;
    source.whole[i] = at + Aligned(image->inputs[i].size);
    at += 2 * Aligned(image->inputs[i].size);
  }
  return arena_size;
}

}  // namespace

extern "C" int app_realtime(void) {
  const harness_image *image = firmware_image();
  const harness_schedule *schedule = firmware_schedule();
  source.image = image;
  source.schedule = schedule;
  harness::PrintBegin();
  if (!harness::ModelIsWhole(image)) return WIRE_STATUS_ERROR;
  size_t arena_size = PlaceBuffers(image);
  if (arena_size == 0) return harness::PrintError(WIRE_STAGE_ALLOCATE, -1);
  tflite::MicroInterpreter *interpreter = harness::MakeInterpreter(image, arena_size);
  if (interpreter->AllocateTensors() != kTfLiteOk) return harness::PrintAllocationError();

  // One inference before the clock runs: it says what the outputs must be, and does what is done only once.
  harness::reporter()->Hold(true);
  if (!harness::CopyInputs(image, interpreter)) return harness::PrintError(WIRE_STAGE_INPUT, -1);
  if (interpreter->Invoke() != kTfLiteOk) {
    harness::reporter()->PrintHeld();
    return harness::PrintError(WIRE_STAGE_INVOKE, harness::Resolver::progress.invoking);
  }
  const uint32_t expected = OutputCrc(interpreter);
  const uint64_t deadline = static_cast<uint64_t>(schedule->ticks) * schedule->interrupts;

  uint32_t missed = 0, wrong = 0;
  uint64_t asleep = 0, worst = 0;
  hal_timer_start(schedule->ticks, OnTick);
  while (source.taken + source.lost < schedule->frames) {
    uint64_t handler = source.handler, before = hal_timer_now();
    hal_sleep_while(&source.arrived, source.taken);
    asleep += (hal_timer_now() - before) - (source.handler - handler);

    const uint64_t arrival = source.arrival;
    harness::Resolver::progress = harness::Progress();
    for (size_t i = 0; i < image->input_count; ++i) {
      memcpy(interpreter->input(i)->data.raw, source.whole[i], image->inputs[i].size);
    }
    source.taken = source.taken + 1;  // the next one may come
    bool done = interpreter->Invoke() == kTfLiteOk && OutputCrc(interpreter) == expected;
    const uint64_t latency = hal_timer_now() - arrival;
    wrong += !done;
    missed += latency > deadline;
    if (latency > worst) worst = latency;
  }
  const uint64_t total = hal_timer_now();
  hal_timer_stop();

  print_begin(WIRE_SCHEDULE);
  print_unsigned("done", source.taken);
  print_unsigned("missed", missed);
  print_unsigned("dropped", source.lost);
  print_unsigned("wrong", wrong);
  print_end();
  print_begin(WIRE_TIME);
  print_hex64("total", total);
  print_hex64("asleep", asleep);
  print_hex64("handler", source.handler);
  print_hex64("worst", worst);
  print_end();
  return WIRE_STATUS_OK;
}
