#include "cuda/matrix_product.h"

#include <cstdint>

#include "cuda/libraries/cublas_lt.h"
#include "engine/error.h"

namespace dl::cuda {
namespace {

/// What NVIDIA recommends for Hopper; older devices need less.
constexpr int64_t kWorkspaceBytes = int64_t{32} << 20;

/// Weights begin at 64 bytes in float32, at 32 in bfloat16 (engine/parameters.h).
constexpr uint32_t kPointerAlignment = 32;

cudaDataType_t type_of(DataType type) { return type == DataType::kFloat32 ? CUDA_R_32F : CUDA_R_16BF; }

class Preference {
 public:
  Preference() {
    const CublasLt& lt = cublas_lt();
    check(lt.cublasLtMatmulPreferenceCreate(&preference_), "making a preference");
    const uint64_t workspace = kWorkspaceBytes;
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace);
    for (const auto pointer : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      set(pointer, kPointerAlignment);
  }
  ~Preference() { cublas_lt().cublasLtMatmulPreferenceDestroy(preference_); }
  Preference(const Preference&) = delete;
  Preference& operator=(const Preference&) = delete;

  cublasLtMatmulPreference_t get() const { return preference_; }

 private:
  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t name, const T& value) {
    check(cublas_lt().cublasLtMatmulPreferenceSetAttribute(preference_, name, &value, sizeof value), "setting a preference");
  }

  cublasLtMatmulPreference_t preference_ = nullptr;
};

}  // namespace

void MatrixProduct::Release::operator()(cublasLtMatmulDesc_t description) const {
  cublas_lt().cublasLtMatmulDescDestroy(description);
}

void MatrixProduct::Release::operator()(cublasLtMatrixLayout_t layout) const { cublas_lt().cublasLtMatrixLayoutDestroy(layout); }

MatrixProduct::MatrixProduct(PlanBuilder& builder, const Matrix& a, const Matrix& b, const Matrix& c)
    : a_(a), b_(b), c_(c), workspace_buffer_(builder.scratch(kWorkspaceBytes)) {
  if (builder.options().precision == Precision::kTf32) compute_ = CUBLAS_COMPUTE_32F_FAST_TF32;
}

/// cuBLAS has columns one after the other: our rows by columns are its columns by rows.
MatrixProduct::Layout MatrixProduct::layout(const Matrix& matrix) {
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublas_lt().cublasLtMatrixLayoutCreate(&layout, type_of(matrix.type), static_cast<uint64_t>(matrix.columns),
                                               static_cast<uint64_t>(matrix.rows), matrix.columns),
        "describing a matrix");
  return Layout(layout);
}

void MatrixProduct::bind(const Arena& arena, const Handles& handles) {
  const CublasLt& lt = cublas_lt();
  workspace_ = arena.at<void>(workspace_buffer_);
  cublasLtMatmulDesc_t description = nullptr;
  check(lt.cublasLtMatmulDescCreate(&description, compute_, CUDA_R_32F), "describing a product");
  description_.reset(description);
  // c^T = b^T * a^T, and what lies in memory is seen transposed already: b comes first.
  const auto transpose = [&](cublasLtMatmulDescAttributes_t name, const Matrix& matrix) {
    const cublasOperation_t operation = matrix.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    check(lt.cublasLtMatmulDescSetAttribute(description, name, &operation, sizeof operation), "describing a product");
  };
  transpose(CUBLASLT_MATMUL_DESC_TRANSA, b_);
  transpose(CUBLASLT_MATMUL_DESC_TRANSB, a_);
  a_layout_ = layout(a_);
  b_layout_ = layout(b_);
  c_layout_ = layout(c_);

  const Preference preference;
  cublasLtMatmulHeuristicResult_t proposal{};
  int found = 0;
  const cublasStatus_t status =
      lt.cublasLtMatmulAlgoGetHeuristic(handles.cublas(), description, b_layout_.get(), a_layout_.get(), c_layout_.get(),
                                        c_layout_.get(), preference.get(), 1, &proposal, &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && found == 0)) {
    throw Error(Reason::kInternal, "cuBLASLt " + lt.version() + " has no algorithm for a product of " + std::to_string(c_.rows) +
                                       " x " + std::to_string(c_.columns) + " values on this device");
  }
  check(status, "choosing an algorithm");
  algorithm_ = proposal.algo;
}

void MatrixProduct::execute(const Pass& pass, const void* a, const void* b, void* c) const {
  const float one = 1, zero = 0;
  check(cublas_lt().cublasLtMatmul(pass.handles->cublas(), description_.get(), &one, b, b_layout_.get(), a, a_layout_.get(),
                                   &zero, c, c_layout_.get(), c, c_layout_.get(), &algorithm_, workspace_,
                                   static_cast<size_t>(kWorkspaceBytes), pass.launch().stream),
        "a matrix product");
}

}  // namespace dl::cuda
