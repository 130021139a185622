#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "cuda/kernels/test/buffer.h"

namespace {

/// Exit status where there is no GPU: neither passed nor failed (automake's "skipped").
[[maybe_unused]] constexpr int kNoGpu = 77;

}  // namespace

int main(int argc, char** argv) {
#if !defined(DL_CUDA_KERNELS_ON_HOST)
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess || devices == 0) {
    std::printf("no GPU: no test ran (%s)\n", cudaGetErrorString(error));
    return kNoGpu;
  }
#endif
  doctest::Context context(argc, argv);
  return context.run();
}
