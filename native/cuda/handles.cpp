#include "cuda/handles.h"

#include "cuda/libraries/cublas_lt.h"
#include "cuda/libraries/cudnn.h"
#include "cuda/runtime/error.h"

namespace dl::cuda {

Handles::Handles(int device) {
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device), "asking for multiprocessors");
  check(cuda::cudnn().cudnnCreate(&cudnn_), "making a handle");
  const cudnnStatus_t streamed = cuda::cudnn().cudnnSetStream(cudnn_, compute_);
  const cublasStatus_t created = cublas_lt().cublasLtCreate(&cublas_);
  if (streamed == CUDNN_STATUS_SUCCESS && created == CUBLAS_STATUS_SUCCESS) return;
  cuda::cudnn().cudnnDestroy(cudnn_);
  check(streamed, "setting a stream");
  check(created, "making a handle");
}

Handles::~Handles() {
  cublas_lt().cublasLtDestroy(cublas_);
  cuda::cudnn().cudnnDestroy(cudnn_);
}

}  // namespace dl::cuda
