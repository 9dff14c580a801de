/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Part of flow.c: how a block of Thumb code is left, as its last instruction says (Armv6-M to Armv8.1-M, Arm DDI 0403
 * and DDI 0553).
 */

typedef enum {
  FALLS,          /* goes on behind itself; also SVC, BKPT, UDF and WFI */
  JUMPS,          /* B, CBZ, CBNZ, LE, WLS: to `target` */
  CALLS,          /* BL */
  CALLS_REGISTER, /* BLX */
  JUMPS_REGISTER, /* BX but of LR, MOV PC, ADD PC, LDR PC */
  JUMPS_TABLE,    /* TBB, TBH: inside of the function */
  RETURNS,        /* BX LR, POP {PC}, LDM {PC}, LDR PC, [SP], #n: from a function or an exception */
} leaves_t;

typedef struct {
  leaves_t leaves;
  bool conditional; /* may go on behind itself, too */
  uint64_t target;
} ending_t;

static bool is_wide(unsigned first) { return first >> 11 >= 0x1D; }

static int64_t extended(uint64_t value, unsigned bits) { return (int64_t)(value << (64 - bits)) >> (64 - bits); }

static ending_t narrow_ending(uint64_t address, unsigned code) {
  uint64_t pc = address + 4;
  unsigned rm = code >> 3 & 15;
  if (code >> 12 == 0xD && (code >> 8 & 15) < 14) {
    return (ending_t){JUMPS, true, pc + (uint64_t)extended((code & 0xFF) << 1, 9)};
  }
  if (code >> 11 == 0x1C) return (ending_t){JUMPS, false, pc + (uint64_t)extended((code & 0x7FF) << 1, 12)};
  if ((code & 0xF500) == 0xB100) return (ending_t){JUMPS, true, pc + (code >> 3 & 0x40) + (code >> 2 & 0x3E)};
  if ((code & 0xFF00) == 0xBD00) return (ending_t){RETURNS, false, 0};
  if ((code & 0xFF83) == 0x4700) return (ending_t){rm == 14 ? RETURNS : JUMPS_REGISTER, false, 0};
  if ((code & 0xFF83) == 0x4780) return (ending_t){CALLS_REGISTER, false, 0};
  if ((code & 0xFF87) == 0x4687) return (ending_t){rm == 14 ? RETURNS : JUMPS_REGISTER, false, 0};
  if ((code & 0xFF87) == 0x4487) return (ending_t){JUMPS_REGISTER, false, 0};
  return (ending_t){FALLS, false, 0};
}

static ending_t branch_ending(uint64_t address, unsigned first, unsigned second) {
  uint64_t pc = address + 4, sign = first >> 10 & 1, j1 = second >> 13 & 1, j2 = second >> 11 & 1;
  uint64_t low = (uint64_t)(second & 0x7FF) << 1;
  if ((second & 0xD000) == 0x8000) { /* conditional; with a condition of 14 or 15 a system instruction */
    if ((first >> 6 & 15) >= 14) return (ending_t){FALLS, false, 0};
    uint64_t distance = sign << 20 | j2 << 19 | j1 << 18 | (uint64_t)(first & 0x3F) << 12 | low;
    return (ending_t){JUMPS, true, pc + (uint64_t)extended(distance, 21)};
  }
  if (second & 0x1000) {
    uint64_t i1 = !(j1 ^ sign), i2 = !(j2 ^ sign);
    uint64_t distance = sign << 24 | i1 << 23 | i2 << 22 | (uint64_t)(first & 0x3FF) << 12 | low;
    return (ending_t){second & 0x4000 ? CALLS : JUMPS, false, pc + (uint64_t)extended(distance, 25)};
  }
  if ((second & 0xF001) == 0xC001 && (first & 0x0780) == 0) { /* LE and LETP go back, WLS and WLSTP on */
    uint64_t distance = (uint64_t)(second >> 1 & 0x3FF) << 2 | (second >> 11 & 1) << 1;
    return (ending_t){JUMPS, true, (first & 15) == 15 ? pc - distance : pc + distance};
  }
  return (ending_t){FALLS, false, 0};
}

static ending_t wide_ending(uint64_t address, unsigned first, unsigned second) {
  if ((first & 0xF800) == 0xF000 && second & 0x8000) return branch_ending(address, first, second);
  if ((first & 0xFFF0) == 0xE8D0 && (second & 0xFFE0) == 0xF000) return (ending_t){JUMPS_TABLE, false, 0};
  if ((first & 0xFE50) == 0xE810 && second & 0x8000) return (ending_t){RETURNS, false, 0};
  if (((first & 0xFF70) == 0xF850) && second >> 12 == 15) {
    return (ending_t){(first & 15) == 13 ? RETURNS : JUMPS_REGISTER, false, 0};
  }
  return (ending_t){FALLS, false, 0};
}

/* How many instructions behind this one are conditional: those of IT. */
static unsigned it_length(unsigned code) {
  return (code & 0xFF00) == 0xBF00 && code & 15 ? 4 - (unsigned)__builtin_ctz(code & 15) : 0;
}

/* LDM, STM, VLDM and VSTM by another register than SP: what saves and restores a thread's registers. */
static bool moves_several(unsigned first) {
  if (!is_wide(first)) return first >> 12 == 0xC;
  return (first & 0xFE40) == 0xE800 || (first & 0xFE00) == 0xEC00;
}

/* PUSH, POP and what moves single or floating-point registers alike: they tell where the stack is. */
static bool moves_stack(unsigned first) {
  if (!is_wide(first)) return (first & 0xF600) == 0xB400;
  return first == 0xE92D || first == 0xE8BD || first == 0xF84D || first == 0xF85D || (first & 0xFFBF) == 0xED2D ||
         (first & 0xFFBF) == 0xECBD;
}
