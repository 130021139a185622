// What the CUDA backend says where the device or its memory fails beside it.
#include <doctest/doctest.h>

#include <thread>

#include "cuda/libraries/cublas_lt.h"
#include "cuda/libraries/cudnn.h"
#include "test/cuda_on_host/streams.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

/// What refuses `action` on a thread whose device is lost, though nothing was heard of that before.
std::optional<Error> refusal_of_lost_device(const std::function<void()>& action) {
  std::optional<Error> error;
  std::thread([&] {
    lose_device_of_thread();
    error = refusal(action);
  }).join();
  return error;
}

TEST_CASE("a device whose loss a library notices first is lost, and a library's own failure is kInternal") {
  const auto by_cudnn = [] { cuda::check(CUDNN_STATUS_EXECUTION_FAILED, "a convolution"); };
  const auto by_cublas = [] { cuda::check(CUBLAS_STATUS_EXECUTION_FAILED, "a product"); };
  CHECK(refuses(Reason::kInternal, by_cudnn));
  for (const std::function<void()>& action : {std::function<void()>(by_cudnn), std::function<void()>(by_cublas)}) {
    const auto error = refusal_of_lost_device(action);
    REQUIRE(error);
    CHECK(error->reason() == Reason::kDeviceLost);
    CHECK(std::string(error->what()).find("cudaErrorIllegalAddress") != std::string::npos);
  }
}

}  // namespace
}  // namespace dl::test
