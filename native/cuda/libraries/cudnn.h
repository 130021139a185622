#pragma once

#include <cudnn_graph.h>

#include <string>

namespace dl::cuda {

/// What the engine calls of cuDNN. The library is opened at run time: the functions have the names and the types of its header.
struct Cudnn {
  decltype(&::cudnnGetVersion) cudnnGetVersion;
  decltype(&::cudnnGetErrorString) cudnnGetErrorString;
  decltype(&::cudnnGetLastErrorString) cudnnGetLastErrorString;
  decltype(&::cudnnCreate) cudnnCreate;
  decltype(&::cudnnDestroy) cudnnDestroy;
  decltype(&::cudnnSetStream) cudnnSetStream;
  decltype(&::cudnnBackendCreateDescriptor) cudnnBackendCreateDescriptor;
  decltype(&::cudnnBackendDestroyDescriptor) cudnnBackendDestroyDescriptor;
  decltype(&::cudnnBackendSetAttribute) cudnnBackendSetAttribute;
  decltype(&::cudnnBackendGetAttribute) cudnnBackendGetAttribute;
  decltype(&::cudnnBackendFinalize) cudnnBackendFinalize;
  decltype(&::cudnnBackendExecute) cudnnBackendExecute;

  /// For instance "9.24.0".
  std::string version() const;
};

/// The oldest version that has all that is used: device properties in descriptors are new in 9.8.
constexpr size_t kOldestCudnn = 90800;

/// The library, opened at the first call. Throws kCudnnMissing.
const Cudnn& cudnn();

/// Throws kInternal, kOutOfMemory, or what a failure below cuDNN is, with the library's own words.
void check(cudnnStatus_t status, const char* what);

}  // namespace dl::cuda
