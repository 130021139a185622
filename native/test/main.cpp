#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <iostream>
#include <memory>
#include <vector>

#include "engine/error.h"
#include "test/device.h"
#if defined(DL_CPU)
#include "cpu/device.h"
#endif
#if defined(DL_CUDA)
#include "cuda/device.h"
#endif

namespace dl::test {
namespace {

/// The files whose tests make models: they run on every device.
constexpr const char* kDeviceTests =
    "*/2?_engine*.cpp,*/30_*.cpp,*/31_*.cpp,*/32_*.cpp,*/33_*.cpp,*/34_*.cpp,*/35_*.cpp,*/36_*.cpp,*/37_*.cpp,*/38_*.cpp,*/"
    "40_*.cpp,*/"
    "50_*.cpp,"
    "*/51_*.cpp,*/52_*.cpp,*/60_*.cpp,*/70_*.cpp";

Device* device_under_test = nullptr;

/// The devices of this machine; of several GPUs the first.
std::vector<Device*> devices() {
  std::vector<Device*> found;
#if defined(DL_CPU)
  found.push_back(&cpu::device());
#endif
#if defined(DL_CUDA)
  try {
    // Never destroyed: when the process ends, NVIDIA's libraries may have ended before.
    static cuda::CudaDevice& gpu = *new cuda::CudaDevice(0);
    gpu.begin(1);
    found.push_back(&gpu);
  } catch (const Error& error) {
    std::cout << "no GPU is tested: " << error.what() << '\n';
  }
#endif
  return found;
}

int run(int argc, char** argv, const char* filter) {
  doctest::Context context(argc, argv);
  if (filter != nullptr) context.addFilter(filter, kDeviceTests);
  return context.run();
}

}  // namespace

Device& device() { return *device_under_test; }

}  // namespace dl::test

int main(int argc, char** argv) {
  using namespace dl::test;
  const std::vector<dl::Device*> found = devices();
  int failed = run(argc, argv, "source-file-exclude");
  for (dl::Device* device : found) {
    std::cout << "== on " << device->info().name << '\n';
    device_under_test = device;
    failed |= run(argc, argv, "source-file");
  }
  return failed;
}
