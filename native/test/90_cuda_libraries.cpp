// What the CUDA backend does on a machine without a GPU or without NVIDIA's libraries: where it looks, and what it says.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "cuda/libraries/cublas_lt.h"
#include "cuda/libraries/cudnn.h"
#include "cuda/libraries/search_path.h"
#include "cuda/runtime/error.h"

namespace dl::test {
namespace {

namespace fs = std::filesystem;

/// A folder that is gone with the test.
struct Folder {
  Folder() : path(fs::temp_directory_path() / ("dl-cuda-test-" + std::to_string(std::rand()))) { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

TEST_CASE("a library is looked for by the system first, then in NVIDIA's wheels, beside PyTorch, in the toolkit") {
  const std::vector<std::string> files = cuda::candidates("libcudnn.so.9", {"nvidia/cudnn/lib"}, {"/a", "/b"});
  CHECK(files == std::vector<std::string>{"libcudnn.so.9", "/a/nvidia/cudnn/lib/libcudnn.so.9",
                                          "/b/nvidia/cudnn/lib/libcudnn.so.9", "/a/torch/lib/libcudnn.so.9",
                                          "/b/torch/lib/libcudnn.so.9", "/usr/local/cuda/lib64/libcudnn.so.9"});
}

TEST_CASE("packages of the virtual environment come first, of the newest Python first") {
  const Folder environment;
  for (const char* version : {"python3.9", "python3.13", "python3.11"})
    fs::create_directories(environment.path / "lib" / version / "site-packages");
  setenv("VIRTUAL_ENV", environment.path.c_str(), 1);
  const std::vector<fs::path> packages = cuda::site_packages();
  unsetenv("VIRTUAL_ENV");
  REQUIRE(packages.size() >= 3);
  CHECK(packages[0] == environment.path / "lib/python3.13/site-packages");
  CHECK(packages[1] == environment.path / "lib/python3.11/site-packages");
  CHECK(packages[2] == environment.path / "lib/python3.9/site-packages");
}

/// What is said where the library cannot be opened; nothing where it can.
std::optional<Error> problem_of(const auto& open) {
  try {
    open();
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

TEST_CASE("a library that is missing is named, with the way to get it") {
  const auto check = [](const std::optional<Error>& problem, Reason reason, const std::string& library) {
    if (!problem) {
      MESSAGE(library << " is here");
      return;
    }
    CHECK(problem->reason() == reason);
    CHECK(problem->metadata().at("library").starts_with(library));
    CHECK(problem->metadata().at("remedy").find("pip install nvidia-") != std::string::npos);
  };
  check(problem_of([] { cuda::cudnn(); }), Reason::kCudnnMissing, "libcudnn.so.");
  check(problem_of([] { cuda::cublas_lt(); }), Reason::kCublasMissing, "libcublasLt.so.");
}

TEST_CASE("errors of the CUDA runtime: memory, no GPU, a lost device, anything else") {
  CHECK(cuda::reason_of(cudaErrorMemoryAllocation) == Reason::kOutOfMemory);
  for (const cudaError_t error : {cudaErrorNoDevice, cudaErrorInsufficientDriver, cudaErrorNoKernelImageForDevice})
    CHECK(cuda::reason_of(error) == Reason::kNoGpu);
  for (const cudaError_t error : {cudaErrorIllegalAddress, cudaErrorLaunchFailure, cudaErrorECCUncorrectable, cudaErrorAssert})
    CHECK(cuda::reason_of(error) == Reason::kDeviceLost);
  for (const cudaError_t error : {cudaErrorInvalidValue, cudaErrorInvalidConfiguration, cudaErrorLaunchOutOfResources})
    CHECK(cuda::reason_of(error) == Reason::kInternal);
}

}  // namespace
}  // namespace dl::test
