/* The vocabulary of the console: lines "@word key=value ...", read by harness/wire.py; a contract test holds the two
 * together. Numbers are decimal; crc32 is eight hexadecimal digits; @data carries up to 32 bytes in hexadecimal. */
#ifndef HARNESS_WIRE_H_
#define HARNESS_WIRE_H_

#define WIRE_VERSION 1

#define WIRE_BEGIN "begin"   /* wire= tflm= kernels= : first line */
#define WIRE_LOG "log"       /* text=... to the end of the line: a message of TFLM, without its arguments */
#define WIRE_ERROR "error"   /* stage= node= : what failed (node -1: no operator) */
#define WIRE_ARENA "arena"   /* size= used= : the arena that was given, what TFLM says it used of it */
#define WIRE_NEEDED "needed" /* size= : the smallest arena that works */
#define WIRE_NODE "node"     /* index= crc32= : outputs of one operator, in the order of execution */
#define WIRE_DUMP "dump"     /* index= size= : @data lines of that operator's outputs follow */
#define WIRE_OUTPUT "output" /* index= size= : @data lines of that model output follow */
#define WIRE_DATA "data"     /* the bytes */
#define WIRE_STACK "stack"   /* used= reserved= : high-water mark and room */
#define WIRE_FAULT "fault"   /* exception= overflow= : decimal; pc= lr= xpsr= sp= cfsr= hfsr= mmfar= bfar= : hex */
#define WIRE_END "end"       /* status= : last line */

/* Values of stage= */
#define WIRE_STAGE_ALLOCATE "allocate"
#define WIRE_STAGE_PREPARE "prepare"
#define WIRE_STAGE_INPUT "input"
#define WIRE_STAGE_INVOKE "invoke"

/* Values of status= */
#define WIRE_STATUS_OK 0
#define WIRE_STATUS_ERROR 1
#define WIRE_STATUS_FAULT 2

#endif /* HARNESS_WIRE_H_ */
