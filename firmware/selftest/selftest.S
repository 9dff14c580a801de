/* Hand-counted code for checking an instruction counter.
 *
 * Each segment runs from one execution of the first instruction of `mark` to the next one, and calls one test:
 *
 *   mark:  bx lr            1
 *          bl test_NAME     1
 *          ...              the body: the count in the comment at each test, return included
 *          bl mark          1   (bl end after the last one; the instruction at `end` is not reached)
 *
 * so a segment counts body + 3. In the comments, n is the loop's count; harness/selftest.py has the same formulas.
 * The label segment_NAME in the main sequence says which segment runs which test.
 */
  .syntax unified
  .thumb

  .macro segment name
  bl mark
  .global segment_\name
segment_\name:
  bl test_\name
  .endm

  .macro test name
  .balign 4
  .thumb_func
test_\name:
  .endm

  .equ STACK_BYTES, 4096
  .equ SYSTICK, 0xE000E010       /* control; +4 reload, +8 value */
  .equ NVIC_ENABLE, 0xE000E100
  .equ NVIC_PEND, 0xE000E200
  .equ ICSR, 0xE000ED04
  .equ CPACR, 0xE000ED88

/* ---- vectors ----------------------------------------------------------------------------------------------------- */
  .section .vectors, "a"
  .word stack_top
  .word reset
  .word hard_fault                /* NMI */
  .word hard_fault
  .rept 7
  .word hard_fault
  .endr
  .word svc_handler
  .word hard_fault
  .word hard_fault
  .word pendsv_handler
  .word systick_handler
  .word irq0_handler

/* ---- the sequence ------------------------------------------------------------------------------------------------ */
  .text
  .thumb_func
  .global reset
reset:                            /* segment 0, "reset": only the bl mark of the first segment: 1 */
  segment loop
  segment nested
  segment calls
  segment branches
  segment memory
  segment page_end
  segment page_straddle
  segment page_last
  segment page_single
  segment svc
  segment udf
  segment pendsv
  segment device
  segment device_only
  segment device_page
  segment fall_early
  bl fall_early                   /* these two run into the mark from above, instead of the bl mark */
  .global segment_fall_late
segment_fall_late:
  bl test_fall_late
  bl fall_late
  .global segment_after_fall
segment_after_fall:
  bl test_after_fall
  segment wfi
  segment interrupt
  segment print
#if __ARM_ARCH >= 7
  segment it_taken
  segment it_not_taken
  segment it_else
  segment it_branch
  segment it_device
  segment table
  segment cbz
  segment mac
  segment wide_memory
  segment wide_straddle
  segment wide_load_straddle
  segment wide_device
  segment exclusive
#endif
#ifdef __ARM_FEATURE_DSP
  segment dsp
#endif
#ifdef __ARM_FP
  segment fp_enable
  segment fp
  segment fp_exception
#endif
#ifdef __ARM_FEATURE_MVE
  segment lob
  segment tail
  segment vpt
#endif
  bl end

/* A block that holds the mark in its middle. With fall_early: 4 instructions before the mark; with fall_late: 1. */
  .thumb_func
fall_early:
  nop
  str r2, [r1]                    /* a device register: in the middle */
  nop
  .thumb_func
fall_late:
  str r2, [r1]                    /* right before the mark */
  .thumb_func
  .global mark
mark:
  bx lr

  .thumb_func
  .global end
end:
  b end

/* ---- exception handlers ------------------------------------------------------------------------------------------ */
  .thumb_func
svc_handler:                      /* 3 */
  movs r1, #0
  adds r1, #1
  bx lr

  .thumb_func
hard_fault:                       /* 4: skips the 16-bit instruction that faulted */
  ldr r1, [sp, #24]
  adds r1, #2
  str r1, [sp, #24]
  bx lr

  .thumb_func
pendsv_handler:                   /* 1 */
  bx lr

  .balign 4
  .thumb_func
systick_handler:                  /* 11: stops the timer, also if it has expired again, and says that it ran */
  ldr r2, =SYSTICK
  movs r3, #0
  str r3, [r2]
  ldr r2, =ICSR
  movs r3, #1
  lsls r3, r3, #25                /* PENDSTCLR */
  str r3, [r2]
  ldr r2, =ticked
  movs r3, #1
  str r3, [r2]
  bx lr
  .ltorg

  .thumb_func
irq0_handler:                     /* 2 where there is an FPU, the first of them saves the interrupted code's registers */
#ifdef __ARM_FP
  vadd.f32 s0, s0, s0
#endif
  bx lr

/* ---- tests for every core ---------------------------------------------------------------------------------------- */
test loop                         /* 1 + 2n + 1, n = 1,000,000 */
  ldr r0, =1000000
1:
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test nested                       /* 1 + n (1 + 2m + 2) + 1, n = 50, m = 20 */
  movs r0, #50
1:
  movs r1, #20
2:
  subs r1, #1
  bne 2b
  subs r0, #1
  bne 1b
  bx lr

test calls                        /* 3 + n (3 + 6 + 1 + 3 + 2) + 1, n = 100 */
  push {r4, lr}
  ldr r3, =leaf
  movs r4, #100
1:
  bl leaf                         /* 1 + 2 */
  bl frame                        /* 1 + 5 */
  adds r0, #1
  blx r3                          /* 1 + 2 */
  subs r4, #1
  bne 1b
  pop {r4, pc}
  .ltorg
  .thumb_func
frame:                            /* 3 + 2 */
  push {r4, lr}
  bl leaf
  pop {r4, pc}
  .thumb_func
leaf:                             /* 2 */
  adds r0, #1
  bx lr

test branches                     /* 1 + 5n + 2 n/2 + 1, n = 100 */
  movs r0, #100
1:
  lsrs r1, r0, #1                 /* carry: r0 is odd */
  bcc 2f
  adds r2, #1                     /* for odd numbers */
  adds r2, #1
2:
  b 3f
  adds r2, #1                     /* never */
3:
  subs r0, #1
  bne 1b
  bx lr

test memory                       /* 2 + 16n + 1, n = 100 */
  ldr r1, =data
  movs r0, #100
1:
  ldr r2, [r1]
  adds r2, #1
  str r2, [r1]
  ldrb r3, [r1, #1]
  strb r3, [r1, #2]
  ldrh r3, [r1, #4]
  strh r3, [r1, #6]
  muls r3, r2, r3
  stmia r1!, {r2, r3}
  subs r1, #8
  ldmia r1!, {r2, r3}
  subs r1, #8
  push {r2, r3}
  pop {r2, r3}
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test svc                          /* 1 + n (5 + 3) + 1, n = 100 */
  movs r0, #100
1:
  nop
  svc #1
  nop
  subs r0, #1
  bne 1b
  bx lr

test udf                          /* 1 + n (5 + 4) + 1, n = 10: the undefined instruction counts as one */
  movs r0, #10
1:
  nop
  udf #1
  nop
  subs r0, #1
  bne 1b
  bx lr

test pendsv                       /* 4 + n (6 + 1) + 1, n = 20 */
  ldr r1, =ICSR
  movs r2, #1
  lsls r2, r2, #28                /* PENDSVSET */
  movs r0, #20
1:
  nop
  str r2, [r1]
  nop
  nop
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test device                       /* 2 + 8n + 1, n = 100 */
  ldr r1, =SYSTICK + 4
  movs r0, #100
1:
  nop
  ldr r2, [r1]
  nop
  str r2, [r1]
  str r2, [r1]
  nop
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test device_only                  /* 2 + 4n + 3 + 1, n = 100: the first instruction of a block, and its last but one */
  ldr r1, =SYSTICK + 4
  movs r0, #100
1:
  ldr r2, [r1]
  subs r0, #1
  str r2, [r1]                    /* does not change the flags */
  bne 1b
  ldr r2, [r1]
  str r2, [r1]
  str r2, [r1]
  bx lr
  .ltorg

test fall_early                   /* 2, and 4 more on the way into the mark */
  ldr r1, =SYSTICK + 4
  bx lr
  .ltorg

test fall_late                    /* 3, and 1 more on the way into the mark */
  ldr r1, =SYSTICK + 4
  nop
  bx lr
  .ltorg

test after_fall                   /* 2 */
  nop
  bx lr

/* Interrupts are masked, so the timer's is taken right after the cpsie, however long the host takes in between. */
test wfi                          /* 10 + 11 + 2 */
  ldr r1, =SYSTICK
  ldr r0, =9999
  str r0, [r1, #4]
  str r0, [r1, #8]
  cpsid i
  movs r0, #7
  str r0, [r1]
  nop
  wfi
  cpsie i
  nop
  bx lr
  .ltorg

/* The timer interrupts the loop at any place, after n rounds that the firmware counts and the next test prints. */
test interrupt                    /* 11 + 4n + 11 + 3 */
  ldr r2, =ticked
  movs r0, #0
  str r0, [r2]
  ldr r1, =SYSTICK
  ldr r0, =9999
  str r0, [r1, #4]
  str r0, [r1, #8]
  movs r0, #7
  str r0, [r1]
  movs r0, #0
  nop
1:
  adds r0, #1
  ldr r1, [r2]
  cmp r1, #0
  beq 1b
  ldr r2, =rounds
  str r0, [r2]
  bx lr
  .ltorg

test print                        /* 6 + 6 x 8 + 3: eight letters, a for 0 to p for 15, and a line end */
  ldr r2, =UART
  movs r0, #1
  str r0, [r2, #8]                /* enable the transmitter */
  ldr r3, =rounds
  ldr r3, [r3]
  movs r1, #8
1:
  lsrs r0, r3, #28
  adds r0, #'a'
  str r0, [r2]
  lsls r3, r3, #4
  subs r1, #1
  bne 1b
  movs r0, #'\n'
  str r0, [r2]
  bx lr
  .ltorg

/* ---- code at a 1 KiB page end, where QEMU ends a block ----------------------------------------------------------- */
  .section .pages, "ax"
  .balign 1024
  .space 1024 - 10
  .thumb_func
test_page_end:                    /* 1 + 8n + 1, n = 100 */
  movs r0, #100                   /* at -10 */
1:
  nop
  nop
  nop
  nop                             /* at -2: the last one of the page */
  nop
  nop
  subs r0, #1
  bne 1b
  bx lr

  .balign 1024
  .space 1024 - 6
  .thumb_func
test_page_straddle:               /* 1 + 5n + 1, n = 100 */
  movs r0, #100                   /* at -6 */
1:
  nop
  mrs r1, primask                 /* at -2: 32 bits, half of them on the next page */
  nop
  subs r0, #1
  bne 1b
  bx lr

  .balign 1024
  .space 1024 - 2
  .thumb_func
test_page_last:                   /* 1 + 3n + 1, n = 100 */
  movs r0, #100                   /* at -2: a block of one instruction */
1:
  nop
  subs r0, #1
  bne 1b
  bx lr

  .balign 1024
  .space 1024 - 8
  .thumb_func
test_page_single:                 /* 3 + 3n + 1, n = 100 */
  ldr r1, =data                   /* at -8 */
  movs r0, #100
  b 1f
1:
  ldr r2, [r1]                    /* at -2: a block of one load */
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

  .balign 1024
  .space 1024 - 8
  .thumb_func
test_device_page:                 /* 2 + 6n + 1, n = 100 */
  ldr r1, =SYSTICK + 4            /* at -8 */
  movs r0, #100
1:
  str r2, [r1]                    /* at -4: before the last one of the page */
  ldr r2, [r1]                    /* at -2: the last one */
  nop
  str r2, [r1]
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

#if __ARM_ARCH >= 7
  .balign 1024
  .space 1024 - 6
  .thumb_func
test_wide_straddle:               /* 1 + 5n + 1, n = 100 */
  movs r0, #100                   /* at -6 */
1:
  nop
  add.w r1, r1, #1                /* at -2 */
  add.w r1, r1, #1
  subs r0, #1
  bne 1b
  bx lr

  .balign 1024
  .space 1024 - 8
  .thumb_func
test_wide_load_straddle:          /* 2 + 5n + 1, n = 100 */
  ldr r1, =data                   /* at -8 */
  movs r0, #100
1:
  nop
  ldr.w r2, [r1]                  /* at -2 */
  nop
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

  .balign 1024
  .space 1024 - 12
  .thumb_func
test_wide_device:                 /* 2 + 8n + 1, n = 100 */
  ldr r1, =SYSTICK + 4            /* at -12 */
  movs r0, #100
1:
  nop
  str.w r2, [r1]                  /* at -6 */
  ldr.w r2, [r1]                  /* at -2 */
  nop
  str.w r2, [r1]
  nop
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

/* ---- Armv7-M and later ------------------------------------------------------------------------------------------- */
  .text
test it_taken                     /* 1 + 7n + 1, n = 100 */
  movs r0, #100
1:
  cmp r0, #0
  ittt ne
  addne r1, #1
  addne r2, #1
  movne r3, r2
  subs r0, #1
  bne 1b
  bx lr

test it_not_taken                 /* 1 + 7n + 1, n = 100: a failed instruction counts as one */
  movs r0, #100
1:
  cmp r0, #0
  ittt eq
  addeq r1, #1
  addeq r2, #1
  moveq r3, r2
  subs r0, #1
  bne 1b
  bx lr

test it_else                      /* 2 + 8n + 1, n = 100: stores and loads among them, taken for odd numbers */
  ldr r3, =data
  movs r0, #100
1:
  tst r0, #1
  itete ne
  strne r1, [r3]
  ldreq r1, [r3]
  ldrne r1, [r3, #4]
  streq r1, [r3, #4]
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test it_branch                    /* 1 + 4n - 1, n = 100: returns from inside an IT block */
  movs r0, #100
1:
  subs r0, #1
  it eq
  bxeq lr                         /* the last round ends here, without the b */
  b 1b

test it_device                    /* 2 + 9n + 1, n = 100 */
  ldr r1, =SYSTICK + 4
  movs r0, #100
1:
  cmp r0, #0
  itt ne
  strne r2, [r1]                  /* always */
  ldrne r2, [r1]
  it eq
  streq r2, [r1]                  /* never */
  nop
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test table                        /* 1 + 4n + (1 + 2 + 3 + 3) n/4 + 1, n = 40 */
  movs r0, #40
1:
  and r1, r0, #3
  tbb [pc, r1]
4:
  .byte (5f - 4b) / 2, (6f - 4b) / 2, (7f - 4b) / 2, (8f - 4b) / 2
5:
  b 9f
6:
  nop
  b 9f
7:
  nop
  nop
  b 9f
8:
  nop
  nop
  nop
9:
  subs r0, #1
  bne 1b
  bx lr

test cbz                          /* 1 + 3n - 1 + 1, n = 100 */
  movs r0, #100
1:
  subs r0, #1
  cbz r0, 2f
  b 1b                            /* not in the last round */
2:
  bx lr

test mac                          /* 2 + 9n + 1, n = 100 */
  ldr r1, =data
  movs r0, #100
1:
  ldr r2, [r1, #4]
  mla r3, r2, r2, r3
  smlal r4, r5, r2, r2
  umull r4, r5, r2, r2
  sdiv r6, r3, r2
  udiv r6, r3, r0
  mls r3, r2, r2, r3
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test wide_memory                  /* 2 + 9n + 1, n = 100 */
  ldr r1, =data
  movs r0, #100
1:
  ldrd r2, r3, [r1]
  strd r2, r3, [r1, #8]
  ldr r4, [r1], #4
  str r4, [r1, #-4]!
  ldmia.w r1, {r2, r3, r8, r9}
  stmia.w r1, {r2, r3, r8, r9}
  ldrsb r4, [r1, r0]
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test exclusive                    /* 2 + 7n + 1, n = 100: a store that succeeds each time */
  ldr r1, =data
  movs r0, #100
1:
  ldrex r2, [r1]
  adds r2, #1
  strex r3, r2, [r1]
  cmp r3, #0
  bne 1b
  subs r0, #1
  bne 1b
  bx lr
  .ltorg
#endif

#ifdef __ARM_FEATURE_DSP
test dsp                          /* 1 + 9n + 1, n = 100 */
  movs r0, #100
1:
  smlad r1, r2, r3, r1
  smuad r4, r2, r3
  sadd16 r4, r2, r3
  sxtb16 r4, r2
  pkhbt r4, r2, r3, lsl #16
  ssat r4, #8, r2
  smlald r4, r5, r2, r3
  subs r0, #1
  bne 1b
  bx lr
#endif

#ifdef __ARM_FP
test fp_enable                    /* 7 */
  ldr r1, =CPACR
  ldr r2, [r1]
  orr r2, r2, #0xF00000
  str r2, [r1]
  dsb
  isb
  bx lr
  .ltorg

test fp                           /* 2 + 14n + 1, n = 100 */
  ldr r1, =data
  movs r0, #100
1:
  vldr s0, [r1]
  vmov s1, r0
  vcvt.f32.s32 s1, s1
  vmla.f32 s2, s0, s1
  vfma.f32 s2, s0, s1
  vadd.f32 s2, s2, s1
  vdiv.f32 s3, s0, s1
  vcmp.f32 s3, s1
  vmrs apsr_nzcv, fpscr
  vpush {s0-s3}
  vpop {s0-s3}
  vstr s3, [r1, #16]
  subs r0, #1
  bne 1b
  bx lr
  .ltorg

test fp_exception                 /* 5 + n (7 + 2) + 1, n = 20: the handler uses the FPU as well */
  ldr r1, =NVIC_ENABLE
  movs r2, #1
  str r2, [r1]
  ldr r1, =NVIC_PEND
  movs r0, #20
1:
  vadd.f32 s1, s1, s1
  str r2, [r1]
  nop
  vadd.f32 s1, s1, s1
  nop
  subs r0, #1
  bne 1b
  bx lr
  .ltorg
#endif

#ifdef __ARM_FEATURE_MVE
test lob                          /* 3 + 3n + 1, n = 50: the loop's end counts as one in each round */
  mov r8, lr
  movs r0, #50
  dls lr, r0
1:
  nop
  nop
  le lr, 1b
  bx r8

test tail                         /* 4 + 4n + 1, n = 7 rounds of 16 bytes for 100 bytes */
  mov r8, lr
  ldr r1, =data
  movs r0, #100
  wlstp.8 lr, r0, 2f
1:
  vldrb.u8 q0, [r1], #16
  vadd.i8 q1, q0, q0
  vmladav.u8 r2, q0, q1
  letp lr, 1b
2:
  bx r8
  .ltorg

test vpt                          /* 2 + 7n + 1, n = 10: predicated instructions count as one */
  ldr r1, =data
  movs r0, #10
1:
  vldrw.u32 q0, [r1]
  vpte.i32 eq, q0, r0
  vaddt.i32 q1, q0, q0
  vadde.i32 q2, q0, q0
  vmov.i32 q3, #0
  subs r0, #1
  bne 1b
  bx lr
  .ltorg
#endif

/* ---- data -------------------------------------------------------------------------------------------------------- */
  .bss
  .balign 16
data:
  .space 256
ticked:
  .space 4
rounds:
  .space 4
  .balign 8
  .space STACK_BYTES
stack_top:
