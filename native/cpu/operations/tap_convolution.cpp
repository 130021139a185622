#include <omp.h>

#include <algorithm>
#include <vector>

#include "cpu/operations/operations.h"
#include "cpu/operations/own_convolution.h"
#include "cpu/operations/tap_parts.h"

namespace dl::cpu {
namespace {

/// A convolution by the kernels of kernels/tap_product.h.
template <class T>
class TapConvolution final : public OwnConvolution<T> {
 public:
  TapConvolution(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape)
      : OwnConvolution<T>(builder, operation, shape),
        shape_(shape),
        forward_(forward_tap_part(shape)),
        threads_(omp_get_max_threads()) {
    filters_ = builder.arena().add_persistent(filter_bytes(forward_));
    scratch_ = builder.scratch(float_bytes(scratch_values(forward_)));
  }

  void forward(SubBatch& /*batch*/) override { multiply(forward_, this->x(), filters_, this->stage(), this->y(), scratch_); }

 protected:
  int64_t weight_gradient_scratch() const override {
    return kernel().weight_gradient_scratch(forward_.grid, forward_.taps, threads_);
  }

  void plan_data_gradient(PlanBuilder& builder) override {
    data_ = data_gradient_parts(shape_);
    int64_t filters = 0, scratch = 0;
    for (const TapPart& part : data_) {
      filters = std::max(filters, filter_bytes(part));
      scratch = std::max(scratch, scratch_values(part));
    }
    data_filters_ = builder.scratch(filters);
    data_scratch_ = builder.scratch(float_bytes(scratch));
  }

  void prepare_filters(const float* weights) override { pack_filters(weights, forward_, filters_, false); }

  void compute_weight_gradient(const typename OwnConvolution<T>::WeightGradient& job) const override {
    kernel().weight_gradient({.grid = forward_.grid,
                              .taps = forward_.taps,
                              .threads = threads_,
                              .x = job.x,
                              .dy = job.dy,
                              .gradient = job.gradient,
                              .accumulate = job.accumulate,
                              .scratch = job.scratch});
  }

  void compute_data_gradient(const T* dy, const float* weights, T* dx) const override {
    for (const TapPart& part : data_) {
      pack_filters(weights, part, data_filters_, true);
      multiply(part, dy, data_filters_, {}, dx, data_scratch_);
    }
  }

 private:
  static const TapProductKernels<T>& kernel() { return *kernels().typed_tap_product<T>(); }

  static int64_t filter_bytes(const TapPart& part) {
    return kernel().filter_values(part.grid, part.taps) * static_cast<int64_t>(sizeof(T));
  }
  int64_t scratch_values(const TapPart& part) const { return kernel().product_scratch(part.grid, part.taps, threads_); }

  void pack_filters(const float* weights, const TapPart& part, BufferId to, bool data_gradient) const {
    kernel().filters({.columns = part.grid.out.channels,
                      .depth = part.grid.in.channels,
                      .taps_in_all = forward_.count(),
                      .taps = part.taps,
                      .filter_taps = part.filter_taps,
                      .weights = weights,
                      .data_gradient = data_gradient,
                      .packed = this->values(to)});
  }

  void multiply(const TapPart& part, const T* x, BufferId filters, const OutputStage& stage, T* y, BufferId scratch) const {
    kernel().product({.grid = part.grid,
                      .taps = part.taps,
                      .threads = threads_,
                      .x = x,
                      .filters = this->values(filters),
                      .stage = stage,
                      .y = y,
                      .scratch = this->floats(scratch)});
  }

  LinearShape shape_;
  TapPart forward_;
  std::vector<TapPart> data_;
  int64_t threads_;
  BufferId filters_ = -1;
  BufferId scratch_ = -1;
  BufferId data_filters_ = -1;
  BufferId data_scratch_ = -1;
};

bool applies(const LinearShape& shape) {
  return shape.is_convolution() && shape.weights.size() == 4 && shape.in_type == shape.out_type &&
         shape.in.order == Order::kNhwc && shape.out.order == Order::kNhwc;
}

/// Where the three products together were measured to be quicker than oneDNN's in float32 (`npm run bench -- orders`): 1 x 1, and
/// strided windows as long as vectors of channels are full. Larger windows of stride 1 read each pixel so often that oneDNN's
/// kernels, which keep it, are ahead.
bool pays(const LinearShape& shape) {
  const int64_t taps = shape.weights[2] * shape.weights[3];
  if (taps == 1) return shape.in.channels >= 16;
  return taps <= 9 && shape.stride[0] > 1 && shape.stride[1] > 1 && shape.in.channels >= 32;
}

}  // namespace

std::unique_ptr<Operation> make_tap_convolution(PlanBuilder& builder, const FusedOperation& operation) {
  const Value& x = builder.read_value(builder.node(operation.node).inputs[0]);
  const LinearShape shape = linear_shape(builder, operation, x.layout, x.type);
  if (!applies(shape)) return nullptr;
  if (shape.in_type == DataType::kFloat32) {
    if (!kernels().tap_product || !pays(shape)) return nullptr;
    return std::make_unique<TapConvolution<float>>(builder, operation, shape);
  }
  if (!kernels().tap_product_bfloat16) return nullptr;
  return std::make_unique<TapConvolution<Bfloat16>>(builder, operation, shape);
}

}  // namespace dl::cpu
