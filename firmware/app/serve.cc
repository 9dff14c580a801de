// The application that serves: takes inputs in frames (wire.h), answers outputs and errors, until it is ended.
#include <string.h>

#include "crc32.h"
#include "frame.h"
#include "hal.h"
#include "image.h"
#include "mark.h"
#include "print.h"
#include "session.h"
#include "wire.h"

namespace {

constexpr size_t kAlignment = 16;  // of TFLM's buffers

size_t Aligned(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

// Bytes of a model input, before there is an interpreter; 0 where its type has no fixed size.
size_t InputBytes(const tflite::SubGraph *graph, size_t index) {
  const tflite::Tensor *tensor = graph->tensors()->Get(graph->inputs()->Get(index));
  return harness::vintage::InputBytes(*tensor, harness::reporter());
}

class Server {
 public:
  Server(tflite::MicroInterpreter *interpreter, const tflite::SubGraph *graph, uint8_t *copies, size_t arena_size)
      : interpreter_(interpreter), graph_(graph), copies_(copies), arena_size_(arena_size) {}

  void Answer(const frame_reader *request) {
    sequence_ = frame_sequence(request);
    const uint8_t *payload = frame_payload(request);
    size_t size = frame_payload_size(request);
    switch (frame_type(request)) {
      case WIRE_FRAME_HELLO:
        return size == 0 ? Hello() : Refuse(WIRE_FRAME_ERROR_ARGUMENT);
      case WIRE_FRAME_WRITE:
        return size >= 6 ? Write(payload, size) : Refuse(WIRE_FRAME_ERROR_ARGUMENT);
      case WIRE_FRAME_INFER:
        return size == 4 ? Infer(frame_get(payload, 4)) : Refuse(WIRE_FRAME_ERROR_ARGUMENT);
      case WIRE_FRAME_READ:
        return size == 8 ? Read(payload) : Refuse(WIRE_FRAME_ERROR_ARGUMENT);
      default:
        return Refuse(WIRE_FRAME_ERROR_TYPE);
    }
  }

 private:
  void Send(uint8_t type, const uint8_t *payload, size_t size) { frame_send(type, sequence_, payload, size); }

  void Refuse(uint8_t code) { Send(WIRE_FRAME_ERROR, &code, 1); }

  void Hello() {
    uint8_t info[WIRE_FRAME_PAYLOAD];
    size_t inputs = interpreter_->inputs_size(), outputs = interpreter_->outputs_size();
    frame_put(info, 2, WIRE_VERSION);
    frame_put(info + 2, 2, graph_->operators()->size());
    frame_put(info + 4, 2, inputs);
    frame_put(info + 6, 2, outputs);
    frame_put(info + 8, 4, arena_size_);
    size_t at = 12;
    for (size_t i = 0; i < inputs; ++i, at += 4) frame_put(info + at, 4, interpreter_->input(i)->bytes);
    for (size_t i = 0; i < outputs; ++i, at += 4) frame_put(info + at, 4, interpreter_->output(i)->bytes);
    for (const char *text : {HARNESS_TFLM_VINTAGE, " ", harness_kernels}) {
      for (; *text != '\0' && at < sizeof info; ++text) info[at++] = static_cast<uint8_t>(*text);
    }
    Send(WIRE_FRAME_INFO, info, at);
  }

  // input u16, offset u32, bytes
  void Write(const uint8_t *payload, size_t size) {
    size_t index = frame_get(payload, 2), offset = frame_get(payload + 2, 4), count = size - 6;
    if (index >= interpreter_->inputs_size()) return Refuse(WIRE_FRAME_ERROR_ARGUMENT);
    size_t bytes = interpreter_->input(index)->bytes;
    if (offset > bytes || count > bytes - offset) return Refuse(WIRE_FRAME_ERROR_ARGUMENT);
    memcpy(Copy(index) + offset, payload + 6, count);
    Send(WIRE_FRAME_WRITTEN, nullptr, 0);
  }

  void Infer(uint32_t repeats) {
    if (repeats == 0 || repeats > WIRE_FRAME_REPEATS) return Refuse(WIRE_FRAME_ERROR_ARGUMENT);
    for (uint32_t done = 0; done < repeats; ++done) {
      for (size_t i = 0; i < interpreter_->inputs_size(); ++i) {
        TfLiteTensor *input = interpreter_->input(i);
        memcpy(input->data.raw, Copy(i), input->bytes);
      }
      if (!Invoke()) return Failed(done);
    }
    has_result_ = true;
    uint32_t crc = 0;
    for (size_t i = 0; i < interpreter_->outputs_size(); ++i) {
      const TfLiteTensor *output = interpreter_->output(i);
      crc = crc32_update(crc, reinterpret_cast<const uint8_t *>(output->data.raw), output->bytes);
    }
    uint8_t result[8];
    frame_put(result, 4, repeats);
    frame_put(result + 4, 4, crc);
    Send(WIRE_FRAME_RESULT, result, sizeof result);
  }

  // One inference between marks, as in app_profile.
  bool Invoke() {
    harness::Resolver::progress = harness::Progress();
    harness::reporter()->Hold(true);
    harness_mark();
    TfLiteStatus status = interpreter_->Invoke();
    harness_mark();
    harness::reporter()->Hold(false);
    return status == kTfLiteOk;
  }

  void Failed(uint32_t done) {
    has_result_ = false;
    int node = harness::Resolver::progress.invoking;
    harness::reporter()->PrintHeld();
    harness::PrintError(WIRE_STAGE_INVOKE, node);
    uint8_t error[9] = {WIRE_FRAME_ERROR_INFERENCE};
    frame_put(error + 1, 4, static_cast<uint32_t>(node));
    frame_put(error + 5, 4, done);
    Send(WIRE_FRAME_ERROR, error, sizeof error);
  }

  // output u16, offset u32, length u16
  void Read(const uint8_t *payload) {
    size_t index = frame_get(payload, 2), offset = frame_get(payload + 2, 4), count = frame_get(payload + 6, 2);
    if (!has_result_ || index >= interpreter_->outputs_size() || count > WIRE_FRAME_PAYLOAD) {
      return Refuse(WIRE_FRAME_ERROR_ARGUMENT);
    }
    const TfLiteTensor *output = interpreter_->output(index);
    if (offset > output->bytes || count > output->bytes - offset) return Refuse(WIRE_FRAME_ERROR_ARGUMENT);
    Send(WIRE_FRAME_DATA, reinterpret_cast<const uint8_t *>(output->data.raw) + offset, count);
  }

  uint8_t *Copy(size_t index) {
    uint8_t *copy = copies_;
    for (size_t i = 0; i < index; ++i) copy += Aligned(interpreter_->input(i)->bytes);
    return copy;
  }

  tflite::MicroInterpreter *interpreter_;
  const tflite::SubGraph *graph_;
  uint8_t *copies_;
  size_t arena_size_;
  uint8_t sequence_ = 0;
  bool has_result_ = false;
};

}  // namespace

extern "C" int app_serve(void) {
  const harness_image *image = firmware_image();
  harness::PrintBegin();
  if (!harness::ModelIsWhole(image)) return WIRE_STATUS_ERROR;
  const tflite::SubGraph *graph = tflite::GetModel(image->model)->subgraphs()->Get(0);

  // The copies of the inputs lie behind the arena, in the memory that the image sets aside for both.
  size_t copies_size = 0;
  for (size_t i = 0; i < graph->inputs()->size(); ++i) copies_size += Aligned(InputBytes(graph, i));
  if (copies_size > hal_arena_size()) return harness::PrintError(WIRE_STAGE_ALLOCATE, -1);
  if (graph->inputs()->size() + graph->outputs()->size() > WIRE_FRAME_TENSORS) {
    return harness::PrintError(WIRE_STAGE_INPUT, -1);
  }
  size_t arena_size = (hal_arena_size() - copies_size) / kAlignment * kAlignment;
  uint8_t *copies = hal_arena() + arena_size;
  memset(copies, 0, copies_size);

  tflite::MicroInterpreter *interpreter = harness::MakeInterpreter(image, arena_size);
  if (interpreter->AllocateTensors() != kTfLiteOk) return harness::PrintAllocationError();

  Server server(interpreter, graph, copies, arena_size);
  static frame_reader reader;
  hal_write("", 1);  // closes the lines before
  for (;;) {
    int byte = hal_read();
    if (byte < 0) continue;
    int result = frame_take(&reader, static_cast<uint8_t>(byte));
    if (result == FRAME_READY) {
      server.Answer(&reader);
    } else if (result != FRAME_NOTHING) {
      uint8_t code = static_cast<uint8_t>(result);
      frame_send(WIRE_FRAME_ERROR, 0, &code, 1);
    }
  }
}
