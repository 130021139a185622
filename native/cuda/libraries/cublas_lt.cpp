#include "cuda/libraries/cublas_lt.h"

#include <algorithm>
#include <iterator>

#include "cuda/libraries/search_path.h"
#include "cuda/runtime/error.h"
#include "engine/error.h"
#include "engine/shared_library.h"

namespace dl::cuda {
namespace {

// The library that goes with the runtime that is linked; the functions that are used are the same in both.
#if CUDART_VERSION >= 13000
constexpr const char* kName = "libcublasLt.so.13";
constexpr const char* kOther = "libcublasLt.so.12";
constexpr const char* kRemedy = "install cuBLAS 13, for instance with: pip install nvidia-cublas";
#else
constexpr const char* kName = "libcublasLt.so.12";
constexpr const char* kOther = "libcublasLt.so.13";
constexpr const char* kRemedy = "install cuBLAS 12, for instance with: pip install nvidia-cublas-cu12";
#endif

std::vector<std::string> files() {
  const std::vector<std::filesystem::path> packages = site_packages();
  std::vector<std::string> files;
  for (const char* name : {kName, kOther})
    std::ranges::move(candidates(name, {"nvidia/cu13/lib", "nvidia/cublas/lib"}, packages), std::back_inserter(files));
  return files;
}

Error missing(const std::string& problem) {
  return {Reason::kCublasMissing, "cuBLASLt cannot be used: " + problem, {{"library", kName}, {"remedy", kRemedy}}};
}

CublasLt open() {
  const SharedLibrary library(files());
  if (!library.opened()) throw missing(library.problem());
  CublasLt functions{};
  const auto resolve = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(library.symbol(name));
    if (function == nullptr) throw missing(library.file() + " has no " + name);
  };
#define DL_RESOLVE(name) resolve(functions.name, #name)
  DL_RESOLVE(cublasLtGetVersion);
  DL_RESOLVE(cublasLtGetStatusString);
  DL_RESOLVE(cublasLtCreate);
  DL_RESOLVE(cublasLtDestroy);
  DL_RESOLVE(cublasLtMatmul);
  DL_RESOLVE(cublasLtMatmulAlgoGetHeuristic);
  DL_RESOLVE(cublasLtMatmulDescCreate);
  DL_RESOLVE(cublasLtMatmulDescDestroy);
  DL_RESOLVE(cublasLtMatmulDescSetAttribute);
  DL_RESOLVE(cublasLtMatrixLayoutCreate);
  DL_RESOLVE(cublasLtMatrixLayoutDestroy);
  DL_RESOLVE(cublasLtMatmulPreferenceCreate);
  DL_RESOLVE(cublasLtMatmulPreferenceDestroy);
  DL_RESOLVE(cublasLtMatmulPreferenceSetAttribute);
#undef DL_RESOLVE
  return functions;
}

}  // namespace

std::string CublasLt::version() const {
  const size_t version = cublasLtGetVersion();
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." + std::to_string(version % 100);
}

const CublasLt& cublas_lt() {
  static const CublasLt library = open();
  return library;
}

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  check(failure_of_device(), what);  // a failure of the device is more telling
  throw Error(status == CUBLAS_STATUS_ALLOC_FAILED ? Reason::kOutOfMemory : Reason::kInternal,
              std::string("cuBLASLt, ") + what + ": " + cublas_lt().cublasLtGetStatusString(status));
}

}  // namespace dl::cuda
