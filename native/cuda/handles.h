#pragma once

#include <cublasLt.h>
#include <cudnn_graph.h>

#include "cuda/kernels/kernels.h"
#include "cuda/runtime/stream.h"

namespace dl::cuda {

/// The libraries' handles and the streams of one device, made and used by its thread.
class Handles {
 public:
  explicit Handles(int device);
  ~Handles();
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;

  /// Everything is computed on this one.
  const Stream& compute() const { return compute_; }
  /// Uploads that may go beside a computation.
  const Stream& copy() const { return copy_; }
  cudnnHandle_t cudnn() const { return cudnn_; }
  cublasLtHandle_t cublas() const { return cublas_; }
  Launch launch() const { return {compute_, multiprocessors_}; }

 private:
  int multiprocessors_ = 1;
  Stream compute_;
  Stream copy_;
  cudnnHandle_t cudnn_ = nullptr;
  cublasLtHandle_t cublas_ = nullptr;
};

}  // namespace dl::cuda
