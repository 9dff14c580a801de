/* The vocabulary of the console: lines "@word key=value ...", read by harness/wire.py, and the frames of firmware that
 * serves, read by harness/frames.py; contract tests hold the two sides together. In lines, numbers are decimal; crc32 is
 * eight hexadecimal digits; @data carries up to 32 bytes in hexadecimal. */
#ifndef HARNESS_WIRE_H_
#define HARNESS_WIRE_H_

#define WIRE_VERSION 1

#define WIRE_BEGIN "begin"     /* wire= tflm= kernels= : first line */
#define WIRE_LOG "log"         /* text=... to the end of the line: a message of TFLM, without its arguments */
#define WIRE_ERROR "error"     /* stage= node= : what failed (node -1: no operator) */
#define WIRE_ARENA "arena"     /* size= used= : the arena that was given, what TFLM says it used of it */
#define WIRE_NEEDED "needed"   /* size= : the smallest arena that works */
#define WIRE_TENSOR "tensor"   /* index= offset= size= : a tensor of the model in the arena, in bytes from its start */
#define WIRE_SCRATCH "scratch" /* index= node= size= : a buffer that an operator asks for while it runs */
#define WIRE_PLACED "placed"   /* index= offset= : where in the arena that buffer lies */
#define WIRE_NODE "node"       /* index= crc32= : outputs of one operator, in the order of execution */
#define WIRE_DUMP "dump"       /* index= size= : @data lines of that operator's outputs follow */
#define WIRE_OUTPUT "output"   /* index= size= : @data lines of that model output follow */
#define WIRE_DATA "data"       /* the bytes */
#define WIRE_STACK "stack"     /* used= reserved= : high-water mark and room */
#define WIRE_BOARD "board"     /* clock_hz= full= overhead= : of the core, 0: not as asked for, an empty segment */
#define WIRE_CYCLES "cycles"   /* index= count= : a segment between two marks, in cycles of the core */
#define WIRE_SCHEDULE "schedule" /* done= missed= dropped= wrong= : inputs; late, lost, with another output */
#define WIRE_TIME "time"         /* total= asleep= handler= worst= : ticks of the timer, 16 hexadecimal digits */
#define WIRE_FAULT "fault"       /* exception= overflow= : decimal; pc= lr= xpsr= sp= cfsr= hfsr= mmfar= bfar= : hex */
#define WIRE_END "end"           /* status= : last line */

/* Values of stage= */
#define WIRE_STAGE_ALLOCATE "allocate"
#define WIRE_STAGE_PREPARE "prepare"
#define WIRE_STAGE_INPUT "input"
#define WIRE_STAGE_INVOKE "invoke"
#define WIRE_STAGE_MODEL "model"       /* its bytes are not those that were built in */
#define WIRE_STAGE_WATCHDOG "watchdog" /* nothing came to an end in time */

/* Values of status= */
#define WIRE_STATUS_OK 0
#define WIRE_STATUS_ERROR 1
#define WIRE_STATUS_FAULT 2

/* --- frames: what firmware that serves takes and answers ---
 *
 * A frame is a zero byte, its content in COBS (consistent overhead byte stuffing, so without zero bytes), a zero byte.
 * The zero in front makes a frame that lost its end cost only itself. Content, all numbers little-endian:
 *
 *   type u8 | sequence u8 | length of the payload u16 | payload | CRC-32 (zlib's) of everything before it u32
 *
 * Each chunk between two zeros that is not empty gets one answer. Its sequence is that of the request, or 0 where the
 * request cannot be read; so a client numbers from 1 to 255. What is no whole frame is answered by ERROR and forgotten.
 * Lines of the console come between two zeros, too.
 *
 * Inputs are kept by the firmware (zero at first) and copied to the model's before each inference, because the arena
 * reuses their memory. State that a model keeps in variable tensors goes on from one inference to the next. */
#define WIRE_FRAME_PAYLOAD 256  /* most bytes of a payload */
#define WIRE_FRAME_OVERHEAD 8   /* bytes of the content besides the payload */
#define WIRE_FRAME_TENSORS 48   /* most inputs and outputs together */
#define WIRE_FRAME_REPEATS 1024 /* most inferences of one request */

/* Requests */
#define WIRE_FRAME_HELLO 0x01 /* no payload. Answer: INFO */
#define WIRE_FRAME_WRITE 0x02 /* input u16, offset u32, bytes. Answer: WRITTEN */
#define WIRE_FRAME_INFER 0x03 /* inferences u32. Answer: RESULT */
#define WIRE_FRAME_READ 0x04  /* output u16, offset u32, length u16; after an inference. Answer: DATA */

/* Answers */
#define WIRE_FRAME_INFO 0x81
#define WIRE_FRAME_WRITTEN 0x82 /* no payload */
#define WIRE_FRAME_RESULT 0x83  /* inferences done u32, CRC-32 of all outputs in their order u32 */
#define WIRE_FRAME_DATA 0x84    /* the bytes */
#define WIRE_FRAME_COUNTS 0x85
#define WIRE_FRAME_ERROR 0xff /* code u8; with ERROR_INFERENCE also the operator i32 (-1: none), inferences done u32 */

/* INFO: WIRE_VERSION u16, operators u16, inputs u16, outputs u16, bytes of the arena u32, bytes of each input and of
 * each output u32; then text: vintage of TFLM, a blank, kernel set.
 *
 * COUNTS: unit u8, inference u32 (of the request, from 0), first u16, in all u16, values u64 from number `first` on;
 * value 0 is the whole inference, the others are its operators. They follow a RESULT and have its sequence. This
 * firmware has no counter and sends none: under emulation the harness owns the exact counter, and adds them. */

/* Values of a COUNTS frame's unit */
#define WIRE_FRAME_UNIT_INSTRUCTIONS 1
#define WIRE_FRAME_UNIT_CYCLES 2

/* Values of an ERROR frame's code */
#define WIRE_FRAME_ERROR_SHORT 1     /* it ended before its length said, or inside COBS */
#define WIRE_FRAME_ERROR_LONG 2      /* it went on after its length said, or is longer than a frame may be */
#define WIRE_FRAME_ERROR_CRC 3       /* its CRC is another */
#define WIRE_FRAME_ERROR_TYPE 4      /* no request has this type */
#define WIRE_FRAME_ERROR_ARGUMENT 5  /* a payload of another length, a tensor or a range that is not there */
#define WIRE_FRAME_ERROR_INFERENCE 6 /* an inference failed; the console says where */

#endif /* HARNESS_WIRE_H_ */
