// The engine's tests on the CUDA backend without a GPU: planning, memory, operations and the own kernels are the backend's,
// compiled for the host; cuDNN plans for an H100 that is only described; runtime.cpp and products.cpp stand in for the rest.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <iostream>

#include "cuda/device.h"
#include "test/device.h"
#include "test/h100.h"

namespace dl::test {
namespace {

Device* device_on_host = nullptr;

}  // namespace

Device& device() { return *device_on_host; }

}  // namespace dl::test

int main(int argc, char** argv) {
  using namespace dl;
  try {
    DeviceInfo info;
    info.name = "the host in place of a GPU";
    info.instruction_set = "compute capability 9.0";
    info.precisions = {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16};
    info.memory_bytes = int64_t{64} << 30;
    auto target = std::make_unique<cuda::Target>(3, cuda::device_properties(test::kH100), cuda::ChoiceCache({}, ""));
    static cuda::CudaDevice device(std::move(info), std::move(target));
    device.begin(1);
    test::device_on_host = &device;
  } catch (const Error& error) {
    std::cout << "not tested: " << error.what() << '\n';
    return 0;
  }
  return doctest::Context(argc, argv).run();
}
