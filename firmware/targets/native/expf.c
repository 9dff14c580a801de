/* The single-precision exponential that C libraries of microcontrollers share: x = k ln 2 + r with ln 2 in two parts, e^r
 * by a rational function of r^2, the power of two put into the exponent. Which operations are done, and in which order,
 * decides the last bit, so both are those of that algorithm (K. C. Ng, fdlibm e_exp); a test compares it with the
 * device's. */
#include "expf.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static const float kLn2High = 0x1.62e3p-1f; /* the upper bits of ln 2: its product with k is exact */
static const float kLn2Low = 0x1.2fefa2p-17f;
static const float kInverseLn2 = 0x1.715476p+0f;
static const float kCoefficients[5] = {0x1.555556p-3f, -0x1.6c16c2p-9f, 0x1.1566aap-14f, -0x1.bbd41cp-20f,
                                       0x1.637698p-25f};
static const float kLargest = 0x1.62e42ep+6f;   /* above it e^x is infinite */
static const float kSmallest = -0x1.9fe36ap+6f; /* below it e^x is 0 */

enum {
  kHalfLn2 = 0x3eb17218,        /* bits of 0.5 ln 2 */
  kThreeHalvesLn2 = 0x3f851592, /* bits of 1.5 ln 2 */
  kTiny = 0x31800000,           /* 2^-28: below it e^x is 1 + x */
  kSmallestNormalExponent = -125,
  kScale = 100, /* of results that are subnormal */
};

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static float times_power_of_two(float value, int power) {
  uint32_t bits = bits_of(value) + ((uint32_t)power << 23);
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* a + b * c, with one rounding where the library was compiled for an FPU: GCC contracts it to VFMA there. */
static float add_product(float a, float b, float c, bool fused) { return fused ? fmaf(b, c, a) : a + b * c; }

float single_precision_expf(float x, bool fused) {
  if (isnan(x)) return x + x;
  if (x > kLargest) return INFINITY;
  if (x < kSmallest) return 0.0f;

  const uint32_t magnitude = bits_of(x) & 0x7fffffffu;
  int k = 0;
  float high = 0.0f, low = 0.0f;
  if (magnitude > kHalfLn2) {
    if (magnitude < kThreeHalvesLn2) {
      k = x < 0.0f ? -1 : 1;
      high = x < 0.0f ? x + kLn2High : x - kLn2High;
      low = x < 0.0f ? -kLn2Low : kLn2Low;
    } else {
      k = (int)add_product(x < 0.0f ? -0.5f : 0.5f, kInverseLn2, x, fused);
      const float t = (float)k;
      high = add_product(x, -t, kLn2High, fused);
      low = t * kLn2Low;
    }
    x = high - low;
  } else if (magnitude < kTiny) {
    return 1.0f + x;
  }

  const float square = x * x;
  float polynomial = kCoefficients[4];
  for (int i = 3; i >= 0; --i) polynomial = add_product(kCoefficients[i], square, polynomial, fused);
  const float c = add_product(x, -square, polynomial, fused);
  if (k == 0) return 1.0f - ((x * c) / (c - 2.0f) - x);
  const float y = 1.0f - ((low - (x * c) / (2.0f - c)) - high);
  if (k >= kSmallestNormalExponent) return times_power_of_two(y, k);
  return times_power_of_two(y, k + kScale) * 0x1p-100f;
}
