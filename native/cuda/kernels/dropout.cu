#include <cmath>

#include "cuda/kernels/elementwise.h"
#include "engine/random.h"

namespace dl::cuda {
namespace {

/// A word w keeps its value where w * 2^-32 >= probability. Words come in fours from Philox; the eight values of a thread lie in
/// two fours, or in three where the images before are no multiple of four values.
template <class T, bool kWhole>
struct DropoutFunction {
  DropoutMask<T> job;
  float scale;
  uint64_t threshold;

  DL_HOST_DEVICE void eight(int64_t at, int count) const {
    const uint64_t first = static_cast<uint64_t>(job.inputs->images_before * job.image_size + at);
    const auto key = philox_key(job.inputs->seed);
    const auto step = static_cast<uint32_t>(job.inputs->step);
    const int skipped = static_cast<int>(first % 4);
    uint32_t kept = 0;  // bit i + skipped: value i
    DL_UNROLL
    for (int four = 0; four < 3; ++four) {
      if (four == 2 && skipped == 0) continue;
      const uint64_t counter = first / 4 + static_cast<uint64_t>(four);
      const auto words = philox({static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), job.stream, step}, key);
      DL_UNROLL
      for (int i = 0; i < 4; ++i) kept |= static_cast<uint32_t>(words[static_cast<size_t>(i)] >= threshold) << (4 * four + i);
    }
    float values[kVector];
    unpack(load8<kWhole, Use::kLast>(job.x + at, count), values);
    DL_UNROLL
    for (int i = 0; i < kVector; ++i) values[i] = kept >> (i + skipped) & 1 ? values[i] * scale : 0.0f;
    store8<kWhole>(job.y + at, count, values);
  }
};

}  // namespace

template <class T>
cudaError_t dropout(const Launch& on, const DropoutMask<T>& job) {
  const float scale = 1.0f / (1.0f - job.probability);
  const auto threshold = static_cast<uint64_t>(std::ceil(static_cast<double>(job.probability) * 0x1p32));
  const int64_t size = job.images * job.image_size;
  return vectors_fit(size, job.x, job.y) ? launch_elementwise(on, size, DropoutFunction<T, true>{job, scale, threshold})
                                         : launch_elementwise(on, size, DropoutFunction<T, false>{job, scale, threshold});
}

template cudaError_t dropout(const Launch&, const DropoutMask<float>&);
template cudaError_t dropout(const Launch&, const DropoutMask<Bfloat16>&);

}  // namespace dl::cuda
