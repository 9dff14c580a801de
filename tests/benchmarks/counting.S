/* Code for measuring what counting costs: LOOPS rounds of one kernel, then a reset, which ends QEMU under -no-reboot. */
  .syntax unified
  .thumb

  .section .vectors, "a"
  .word stack_top
  .word reset
  .rept 14
  .word fault
  .endr

  .text
  .thumb_func
fault:
  b fault

  .thumb_func
  .global mark
mark:
  bx lr

  .thumb_func
  .global reset
reset:
  bl mark
  ldr r1, =data
  ldr r0, =LOOPS
#if KERNEL == 1
/* 2 instructions in a block, the worst case: a count loop. 2 a round. */
1:
  subs r0, #1
  bne 1b
#elif KERNEL == 2
/* Blocks of 4 to 12 instructions, as in a reference convolution: bounds checks around a multiply-accumulate. 22 a round. */
1:
  and r2, r0, #63
  cmp r2, #64
  bge 2f
  ldrsb r3, [r1, r2]
  adds r4, r2, #64
  ldrsb r4, [r1, r4]
  cmp r3, #127
  bgt 2f
  subs r4, #3
  mla r5, r3, r4, r5
  adds r6, #1
  cmp r6, r0
  beq 2f
2:
  add r7, r5, #8
  asr r7, r7, #4
  cmp r7, #127
  it gt
  movgt r7, #127
  strb r7, [r1, #200]
  nop
  subs r0, #1
  bne 1b
#elif KERNEL == 3
/* A block of 24, as in an unrolled CMSIS-NN kernel: loads and dual multiply-accumulates. 24 a round. */
1:
  .rept 4
  ldr r2, [r1]
  ldr r3, [r1, #4]
  smlad r4, r2, r3, r4
  smlad r5, r2, r3, r5
  sxtb16 r6, r2
  .endr
  str r4, [r1, #8]
  str r5, [r1, #12]
  subs r0, #1
  bne 1b
#endif
  bl mark
  ldr r0, =0xE000ED0C              /* AIRCR */
  ldr r1, =0x05FA0004              /* SYSRESETREQ */
  str r1, [r0]
  dsb
3:
  b 3b
  .ltorg

  .bss
  .balign 16
data:
  .space 1024
stack_top:
