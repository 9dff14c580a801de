/* expf as the device's C library computes it. */
#ifndef HARNESS_NATIVE_EXPF_H_
#define HARNESS_NATIVE_EXPF_H_

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* newlib's expf for cores without a double-precision FPU: single precision throughout, so that its last bit differs from
 * that of the host's C library, which computes in double precision (as newlib does for cores that have it). `fused`: as
 * compiled for a single-precision FPU, with fused multiply-add, else for none. */
float single_precision_expf(float x, bool fused);

#ifdef __cplusplus
}
#endif

#endif /* HARNESS_NATIVE_EXPF_H_ */
