#include <omp.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "cpu/convolution_weights.h"
#include "cpu/gradient_sum.h"
#include "cpu/operations/linear_shape.h"
#include "cpu/operations/operations.h"
#include "cpu/operations/tap_parts.h"

namespace dl::cpu {
namespace {

/// A convolution by the own kernels of kernels/tap_product.h:
///   y = W * x + bias,   dx = W^T * dy,   dW = dy * x^T,   dbias = sum of dy over images and space.
template <class T>
class TapConvolution final : public Operation {
 public:
  TapConvolution(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape)
      : node_(operation.node),
        input_(builder.node(node_).inputs[0]),
        shape_(shape),
        forward_(forward_tap_part(shape)),
        threads_(omp_get_max_threads()),
        weights_(builder, operation),
        stage_{nullptr, shape.adds, shape.activation},
        weights_offset_(builder.parameter(node_, 0)) {
    if (shape.bias && builder.training()) bias_offset_ = builder.parameter(node_, 1);
    x_ = builder.read_value(input_).buffer;
    if (!builder.frozen(node_)) builder.keep_for_backward(x_);
    y_ = builder.create_output(operation, shape.out, shape.out_type).buffer;
    filters_ = builder.arena().add_persistent(filter_bytes(forward_));
    scratch_ = builder.scratch(float_bytes(scratch_values(forward_)));
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_)) {
      gradient_scratch_ = builder.scratch(float_bytes(kernel().weight_gradient_scratch(forward_.grid, forward_.taps, threads_)));
      if (bias_offset_) {
        bias_scratch_ = builder.scratch(reduction_items(shape_.out) * shape_.out.channels * static_cast<int64_t>(sizeof(double)));
      }
    }
    if (!builder.wants_gradient(input_)) return;
    data_ = data_gradient_parts(shape_);
    int64_t filters = 0, scratch = 0;
    for (const TapPart& part : data_) {
      filters = std::max(filters, filter_bytes(part));
      scratch = std::max(scratch, scratch_values(part));
    }
    data_filters_ = builder.scratch(filters);
    data_scratch_ = builder.scratch(float_bytes(scratch));
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override {
    arena_ = arena;
    weights_.bind(arena);
  }

  void load_weights(const float* values) override {
    pack_filters(weights_.load(values), forward_, filters_, false);
    stage_.bias = weights_.bias();
  }

  void forward(SubBatch& /*batch*/) override { multiply(forward_, arena_.at<T>(x_), filters_, stage_, y_, scratch_); }

  void backward(SubBatch& batch) override {
    const T* dy = gradient_.compute(arena_);
    if (gradient_scratch_ >= 0) compute_weight_gradient(dy, batch);
    batch.weights_done();
    if (dx_ < 0) return;
    for (const TapPart& part : data_) {
      pack_filters(batch.values + weights_offset_, part, data_filters_, true);
      multiply(part, dy, data_filters_, {}, dx_, data_scratch_);
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
                      .packed = arena_.at<T>(to)});
  }

  void multiply(const TapPart& part, const T* x, BufferId filters, const OutputStage& stage, BufferId y, BufferId scratch) const {
    kernel().product({.grid = part.grid,
                      .taps = part.taps,
                      .threads = threads_,
                      .x = x,
                      .filters = arena_.at<T>(filters),
                      .stage = stage,
                      .y = arena_.at<T>(y),
                      .scratch = arena_.at<float>(scratch)});
  }

  void compute_weight_gradient(const T* dy, SubBatch& batch) const {
    kernel().weight_gradient({.grid = forward_.grid,
                              .taps = forward_.taps,
                              .threads = threads_,
                              .x = arena_.at<T>(x_),
                              .dy = dy,
                              .gradient = batch.gradients + weights_offset_,
                              .accumulate = batch.accumulate,
                              .scratch = arena_.at<float>(gradient_scratch_)});
    if (!bias_offset_) return;
    kernels().typed<T>().bias_gradient({.layout = shape_.out,
                                        .dy = dy,
                                        .partial = arena_.at<double>(bias_scratch_),
                                        .gradient = batch.gradients + *bias_offset_,
                                        .accumulate = batch.accumulate});
  }

  int node_;
  int input_;
  LinearShape shape_;
  TapPart forward_;
  std::vector<TapPart> data_;
  int64_t threads_;
  ConvolutionWeights weights_;
  OutputStage stage_;
  int64_t weights_offset_;
  std::optional<int64_t> bias_offset_;  // of a bias to train
  BufferId x_ = -1;
  BufferId y_ = -1;
  BufferId dx_ = -1;
  BufferId filters_ = -1;
  BufferId scratch_ = -1;
  BufferId data_filters_ = -1;
  BufferId data_scratch_ = -1;
  BufferId gradient_scratch_ = -1;
  BufferId bias_scratch_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
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
