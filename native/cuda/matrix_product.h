#pragma once

#include <cublasLt.h>

#include <memory>

#include "cuda/operation.h"
#include "cuda/plan_builder.h"

namespace dl::cuda {

/// A matrix as it lies in memory: rows one after the other. What it is multiplied as may be its transpose.
struct Matrix {
  int64_t rows = 0;
  int64_t columns = 0;
  bool transposed = false;
  DataType type = DataType::kFloat32;
};

/// c = a * b by cuBLASLt, with sums in float32.
class MatrixProduct {
 public:
  MatrixProduct() = default;
  /// Plans scratch memory.
  MatrixProduct(PlanBuilder& builder, const Matrix& a, const Matrix& b, const Matrix& c);

  explicit operator bool() const { return c_.rows > 0; }
  /// Chooses an algorithm: the first that the library's heuristics propose, the same on every run.
  void bind(const Arena& arena, const Handles& handles);
  void execute(const Pass& pass, const void* a, const void* b, void* c) const;

 private:
  struct Release {
    void operator()(cublasLtMatmulDesc_t description) const;
    void operator()(cublasLtMatrixLayout_t layout) const;
  };
  using Description = std::unique_ptr<cublasLtMatmulDescOpaque_t, Release>;
  using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Release>;
  static Layout layout(const Matrix& matrix);

  Matrix a_, b_, c_;
  cublasComputeType_t compute_ = CUBLAS_COMPUTE_32F;
  BufferId workspace_buffer_ = -1;
  void* workspace_ = nullptr;
  Description description_;
  Layout a_layout_, b_layout_, c_layout_;
  cublasLtMatmulAlgo_t algorithm_{};
};

}  // namespace dl::cuda
