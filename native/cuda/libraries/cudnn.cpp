#include "cuda/libraries/cudnn.h"

#include "cuda/libraries/search_path.h"
#include "cuda/runtime/error.h"
#include "engine/error.h"
#include "engine/shared_library.h"

namespace dl::cuda {
namespace {

constexpr const char* kName = "libcudnn.so.9";
constexpr const char* kRemedy =
    "install cuDNN 9.8 or newer for this CUDA version, for instance with: pip install nvidia-cudnn-cu13 (or nvidia-cudnn-cu12)";

Error missing(const std::string& problem) {
  return {Reason::kCudnnMissing, "cuDNN cannot be used: " + problem, {{"library", kName}, {"remedy", kRemedy}}};
}

Cudnn open() {
  // Opened once in the life of the process.
  const SharedLibrary library(candidates(kName, {"nvidia/cudnn/lib"}, site_packages()));
  if (!library.opened()) throw missing(library.problem());
  Cudnn functions{};
  const auto resolve = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(library.symbol(name));
    if (function == nullptr) throw missing(library.file() + " has no " + name);
  };
#define DL_RESOLVE(name) resolve(functions.name, #name)
  DL_RESOLVE(cudnnGetVersion);
  DL_RESOLVE(cudnnGetErrorString);
  DL_RESOLVE(cudnnGetLastErrorString);
  DL_RESOLVE(cudnnCreate);
  DL_RESOLVE(cudnnDestroy);
  DL_RESOLVE(cudnnSetStream);
  DL_RESOLVE(cudnnBackendCreateDescriptor);
  DL_RESOLVE(cudnnBackendDestroyDescriptor);
  DL_RESOLVE(cudnnBackendSetAttribute);
  DL_RESOLVE(cudnnBackendGetAttribute);
  DL_RESOLVE(cudnnBackendFinalize);
  DL_RESOLVE(cudnnBackendExecute);
#undef DL_RESOLVE
  if (functions.cudnnGetVersion() < kOldestCudnn)
    throw missing(library.file() + " is version " + functions.version() +
                  ", which is too old (LD_LIBRARY_PATH can name the folder of a newer one)");
  return functions;
}

}  // namespace

std::string Cudnn::version() const {
  const size_t version = cudnnGetVersion();
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." + std::to_string(version % 100);
}

const Cudnn& cudnn() {
  static const Cudnn library = open();
  return library;
}

void check(cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  check(failure_of_device(), what);  // a failure of the device is more telling
  char details[512] = "";
  cudnn().cudnnGetLastErrorString(details, sizeof details);
  const bool starved = status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
  throw Error(starved ? Reason::kOutOfMemory : Reason::kInternal,
              std::string("cuDNN, ") + what + ": " + cudnn().cudnnGetErrorString(status) + " " + details);
}

}  // namespace dl::cuda
