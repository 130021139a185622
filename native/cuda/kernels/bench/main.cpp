// Times each kernel at the shapes of ResNet-50 and prints JSON rows: bytes a second, and what part that is of a copy's in the
// same run.
//
//   dl_cuda_kernels_bench [IMAGES]        256 images where nothing else is said
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "cuda/kernels/bench/timing.h"

namespace dl::cuda::bench {
namespace {

/// Bytes a second, read and written, of the fastest copy: the runtime's own, and this library's copy of rows.
double measure_copies(Timing& timing) {
  constexpr int64_t kRows = int64_t{1} << 21, kChannels = 128, kBytes = kRows * kChannels * 2;
  const Memory from(kBytes), to(kBytes);
  timing.measure("cudaMemcpyAsync", "bfloat16", std::to_string(kBytes), 2 * kBytes, [&](const Launch& on) {
    return cudaMemcpyAsync(to.as<void>(), from.as<void>(), kBytes, cudaMemcpyDeviceToDevice, on.stream);
  });
  timing.measure("concat_copy", "bfloat16", std::to_string(kBytes), 2 * kBytes, [&](const Launch& on) {
    return concat_copy<Bfloat16>(on, {kRows, kChannels, kChannels, 0, from.as<Bfloat16>(), to.as<Bfloat16>(), true});
  });
  double fastest = 0;
  for (const Measurement& m : timing.measurements()) fastest = std::max(fastest, static_cast<double>(m.bytes) / m.seconds);
  return fastest;
}

void print(const std::vector<Measurement>& measurements, double copy) {
  cudaDeviceProp properties;
  int driver = 0;
  check(cudaGetDeviceProperties(&properties, 0));
  check(cudaDriverGetVersion(&driver));
  std::printf("{\n  \"device\": \"%s\",\n  \"multiprocessors\": %d,\n  \"driver\": %d,\n  \"runtime\": %d,\n", properties.name,
              properties.multiProcessorCount, driver, CUDART_VERSION);
  std::printf("  \"copy_bytes_per_second\": %.4g,\n  \"rows\": [\n", copy);
  for (const Measurement& m : measurements) {
    const double rate = static_cast<double>(m.bytes) / m.seconds;
    std::printf(
        "    {\"kernel\": \"%s\", \"type\": \"%s\", \"shape\": \"%s\", \"bytes\": %lld, \"microseconds\": %.2f, "
        "\"bytes_per_second\": %.4g, \"of_copy\": %.3f}%s\n",
        m.kernel.c_str(), m.type.c_str(), m.shape.c_str(), static_cast<long long>(m.bytes), m.seconds * 1e6, rate, rate / copy,
        &m == &measurements.back() ? "" : ",");
  }
  std::printf("  ]\n}\n");
}

void run(int64_t images) {
  Timing timing;
  const double copy = measure_copies(timing);
  measure_batch_norm<Bfloat16>(timing, images);
  measure_batch_norm<float>(timing, images);
  measure_other_layers<Bfloat16>(timing, images);
  measure_other_layers<float>(timing, images);
  measure_updates(timing);
  print(timing.measurements(), copy);
}

}  // namespace
}  // namespace dl::cuda::bench

int main(int argc, char** argv) {
  const long long images = argc > 1 ? std::atoll(argv[1]) : 256;
  if (images < 1) {
    std::fprintf(stderr, "the number of images is at least 1, got '%s'\n", argv[1]);
    return 2;
  }
  try {
    dl::cuda::bench::run(images);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "dl_cuda_kernels_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
