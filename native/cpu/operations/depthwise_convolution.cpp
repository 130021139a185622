#include "cpu/convolution_weights.h"
#include "cpu/gradient_sum.h"
#include "cpu/operations/linear_shape.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// A depthwise 3 x 3 convolution by the own kernels of kernels/depthwise.h:
///   y = W * x (+ bias, applied),   dx = W^T * dy,   dW = dy * x^T,   channel by channel.
template <class T>
class DepthwiseConvolutionOperation final : public Operation {
 public:
  DepthwiseConvolutionOperation(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape)
      : node_(operation.node),
        input_(builder.node(node_).inputs[0]),
        shape_{shape.in, shape.out, shape.stride[0], shape.stride[1], shape.padding[0], shape.padding[1]},
        weights_(builder, operation),
        stage_{nullptr, shape.adds, shape.activation},
        weights_offset_(builder.parameter(node_, 0)) {
    x_ = builder.read_value(input_).buffer;
    if (!builder.frozen(node_)) builder.keep_for_backward(x_);
    y_ = builder.create_output(operation, shape.out, shape.out_type).buffer;
    filters_ = builder.arena().add_persistent(float_bytes(shape_.filter_values()));
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_)) gradient_scratch_ = builder.scratch(float_bytes(kernel().weight_gradient_scratch(shape_)));
    if (!builder.wants_gradient(input_)) return;
    if (shape_.turns_filters()) turned_filters_ = builder.scratch(float_bytes(shape_.filter_values()));
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override {
    arena_ = arena;
    weights_.bind(arena);
  }

  void load_weights(const float* values) override {
    pack_filters(weights_.load(values), false, filters_);
    stage_.bias = weights_.bias();
  }

  void forward(SubBatch& /*batch*/) override { convolve(false, arena_.at<T>(x_), filters_, y_); }

  void backward(SubBatch& batch) override {
    const T* dy = gradient_.compute(arena_);
    if (gradient_scratch_ >= 0) {
      kernel().weight_gradient({.shape = shape_,
                                .x = arena_.at<T>(x_),
                                .dy = dy,
                                .gradient = batch.gradients + weights_offset_,
                                .accumulate = batch.accumulate,
                                .scratch = arena_.at<float>(gradient_scratch_)});
    }
    batch.weights_done();
    if (dx_ < 0) return;
    if (turned_filters_ >= 0) pack_filters(batch.values + weights_offset_, true, turned_filters_);
    convolve(true, dy, turned_filters_ >= 0 ? turned_filters_ : filters_, dx_);
  }

 private:
  static const DepthwiseKernels<T>& kernel() { return *kernels().typed_depthwise<T>(); }

  void pack_filters(const float* weights, bool turned, BufferId to) const {
    kernel().filters(weights, shape_.in.channels, turned, arena_.at<float>(to));
  }

  void convolve(bool data_gradient, const T* from, BufferId filters, BufferId to) const {
    kernel().convolution({.shape = shape_,
                          .data_gradient = data_gradient,
                          .from = from,
                          .filters = arena_.at<float>(filters),
                          .stage = data_gradient ? OutputStage{} : stage_,
                          .to = arena_.at<T>(to)});
  }

  int node_;
  int input_;
  DepthwiseShape shape_;
  ConvolutionWeights weights_;
  OutputStage stage_;
  int64_t weights_offset_;
  BufferId x_ = -1;
  BufferId y_ = -1;
  BufferId dx_ = -1;
  BufferId filters_ = -1;
  BufferId turned_filters_ = -1;
  BufferId gradient_scratch_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

/// Null where the kernels do not apply. A bias has no gradient here.
template <class T>
std::unique_ptr<Operation> make(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape) {
  const DepthwiseKernels<T>* depthwise = kernels().typed_depthwise<T>();
  const bool applies = depthwise && shape.in_type == shape.out_type && shape.in.order == Order::kNhwc &&
                       shape.out.order == Order::kNhwc && shape.weights == dnnl::memory::dims{shape.in.channels, 1, 1, 3, 3} &&
                       !(builder.training() && shape.bias) && shape.in.channels % depthwise->channels == 0;
  if (!applies) return nullptr;
  return std::make_unique<DepthwiseConvolutionOperation<T>>(builder, operation, shape);
}

}  // namespace

std::unique_ptr<Operation> make_depthwise_convolution(PlanBuilder& builder, const FusedOperation& operation) {
  const Value& x = builder.read_value(builder.node(operation.node).inputs[0]);
  const LinearShape shape = linear_shape(builder, operation, x.layout, x.type);
  return shape.in_type == DataType::kFloat32 ? make<float>(builder, operation, shape) : make<Bfloat16>(builder, operation, shape);
}

}  // namespace dl::cpu
