#pragma once

#include <cmath>
#include <cstdint>

#include "cuda/kernels/arithmetic/host_device.h"

namespace dl::cuda {

/// log(sum(exp(logits))) of one image by the threads of a block: first find_largest(), then sum_up(), then the constructor, with
/// all threads waiting for each other in between. NaN if a logit is NaN.
struct LogSum {
  static constexpr int kThreads = 64;
  struct Shared {
    double largest[kThreads];
    double sums[kThreads];
  };

  double largest;
  double log_sum;

  DL_HOST_DEVICE static void find_largest(const float* logits, int64_t classes, int thread, Shared& shared) {
    auto largest = static_cast<double>(logits[0]);
    for (int64_t k = thread; k < classes; k += kThreads) {
      const auto logit = static_cast<double>(logits[k]);
      largest = largest < logit ? logit : largest;
    }
    shared.largest[thread] = largest;
  }

  DL_HOST_DEVICE static void sum_up(const float* logits, int64_t classes, int thread, Shared& shared) {
    const double largest = largest_of(shared);
    double sum = 0;
    for (int64_t k = thread; k < classes; k += kThreads) sum += exp(static_cast<double>(logits[k]) - largest);
    shared.sums[thread] = sum;
  }

  DL_HOST_DEVICE explicit LogSum(const Shared& shared) : largest(largest_of(shared)) {
    double sum = 0;
    for (int thread = 0; thread < kThreads; ++thread) sum += shared.sums[thread];
    log_sum = largest + log(sum);
  }

 private:
  DL_HOST_DEVICE static double largest_of(const Shared& shared) {
    double largest = shared.largest[0];
    for (int thread = 1; thread < kThreads; ++thread) {
      largest = largest < shared.largest[thread] ? shared.largest[thread] : largest;
    }
    return largest;
  }
};

}  // namespace dl::cuda
