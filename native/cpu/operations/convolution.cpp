#include <omp.h>

#include <algorithm>
#include <optional>
#include <type_traits>

#include "cpu/convolution_weights.h"
#include "cpu/gradient_sum.h"
#include "cpu/operations/grouped_gradient.h"
#include "cpu/operations/linear_shape.h"
#include "cpu/operations/operations.h"
#include "cpu/weights.h"

namespace dl::cpu {
namespace {

/// A convolution by oneDNN's primitives, some weight gradients by own kernels:
///   y = W * x + bias,   dx = W^T * dy,   dW = dy * x^T,   dbias = sum of dy over images and space.
template <class T>
class DirectConvolution final : public Operation {
 public:
  DirectConvolution(PlanBuilder& builder, const FusedOperation& operation)
      : node_(operation.node), input_(builder.node(node_).inputs[0]), weights_(builder, operation) {
    const Value& x = builder.read_value(input_);
    shape_ = linear_shape(builder, operation, x.layout, x.type);
    weights_offset_ = builder.parameter(node_, 0);
    if (shape_.bias && builder.training()) bias_offset_ = builder.parameter(node_, 1);
    x_ = x.buffer;
    if (!builder.frozen(node_)) builder.keep_for_backward(x_);
    y_ = builder.create_output(operation, shape_.out, shape_.out_type).buffer;

    const PrimitiveChoice choice = forward_choice(shape_, builder.training());
    copies_ = WeightCopies(shape_.weights);
    forward_copy_ = copies_.add(builder, choice.weights);
    forward_ = BoundPrimitive(choice.descriptor, builder.arena(), builder.now());
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_)) plan_weight_gradient(builder);
    if (!builder.wants_gradient(input_)) return;
    const PrimitiveChoice data = backward_data_choice(shape_);
    data_copy_ = copies_.add(builder, data.weights);
    backward_data_ = BoundPrimitive(data.descriptor, builder.arena(), builder.now());
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override {
    arena_ = arena;
    weights_.bind(arena);
    copies_.bind(arena);
    const auto x = activation_descriptor(shape_.in, shape_.in_type);
    forward_.bind(*arena.plan, arena.memory);
    forward_.argument(DNNL_ARG_SRC, x, arena.at<T>(x_));
    forward_.argument(DNNL_ARG_WEIGHTS, copies_.descriptor(forward_copy_), copies_.data(arena, forward_copy_));
    forward_.argument(DNNL_ARG_DST, output_descriptor(shape_, shape_.out_type), arena.at<std::byte>(y_));
    const auto dy = output_descriptor(shape_, shape_.gradient_type);
    if (backward_weights_) {
      weight_gradient_.bind(arena);
      backward_weights_.bind(*arena.plan, arena.memory);
      backward_weights_.argument(DNNL_ARG_SRC, x, arena.at<T>(x_));
      backward_weights_.argument(DNNL_ARG_DIFF_DST, dy, arena.at<T>(gradient_.buffer()));
      backward_weights_.argument(DNNL_ARG_DIFF_WEIGHTS, weight_gradient_.written(), arena.at<float>(weight_gradient_.buffer()));
      if (shape_.bias) backward_weights_.argument(DNNL_ARG_DIFF_BIAS, bias_descriptor(shape_), arena.at<float>(bias_gradient_));
    }
    if (!backward_data_) return;
    backward_data_.bind(*arena.plan, arena.memory);
    backward_data_.argument(DNNL_ARG_DIFF_DST, dy, arena.at<T>(gradient_.buffer()));
    backward_data_.argument(DNNL_ARG_WEIGHTS, copies_.descriptor(data_copy_), copies_.data(arena, data_copy_));
    backward_data_.argument(DNNL_ARG_DIFF_SRC, x, arena.at<T>(dx_));
  }

  void load_weights(const float* values) override {
    copies_.load(weights_.load(values));
    if (shape_.bias) forward_.argument(DNNL_ARG_BIAS, bias_descriptor(shape_), weights_.bias());
  }

  void forward(SubBatch& /*batch*/) override { forward_.execute(); }

  void backward(SubBatch& batch) override {
    gradient_.compute(arena_);
    if (backward_weights_) {
      backward_weights_.execute();
      weight_gradient_.store(batch);
    }
    if (few_channels_scratch_ >= 0) compute_few_channels_gradient(batch);
    if (grouped_) grouped_->compute(arena_, x_, gradient_.buffer(), weights_offset_, batch);
    if (shape_.bias && (few_channels_scratch_ >= 0 || grouped_)) compute_bias_gradient(batch);
    if (shape_.bias && backward_weights_) {
      const float* from = arena_.at<float>(bias_gradient_);
      float* to = batch.gradients + bias_offset_;
      batch.accumulate ? kernels().accumulate(shape_.out.channels, from, to) : void(std::copy_n(from, shape_.out.channels, to));
    }
    batch.weights_done();
    if (backward_data_) backward_data_.execute();
  }

 private:
  void plan_weight_gradient(PlanBuilder& builder) {
    if (has_few_channels()) {
      few_channels_scratch_ = builder.scratch(float_bytes(kernels().few_channels->scratch(few_channels_gradient())));
    } else if (GroupedGradient::applies(shape_)) {
      grouped_.emplace(builder, shape_);
    } else {
      const PrimitiveChoice weights = backward_weights_choice(shape_);
      backward_weights_ = BoundPrimitive(weights.descriptor, builder.arena(), builder.now());
      weight_gradient_ = WeightGradient(builder, shape_.weights, weights_offset_, weights.weights);
      if (shape_.bias) bias_gradient_ = builder.scratch(float_bytes(shape_.out.channels));
      return;
    }
    if (!shape_.bias) return;
    bias_gradient_ =
        builder.scratch(reduction_items(shape_.out) * shape_.out.padded_channels() * static_cast<int64_t>(sizeof(double)));
  }

  /// Whether it is a first layer for which the own kernel of kernels/few_channels.inl computes the weight gradient: windows and
  /// outputs must fill its vectors.
  bool has_few_channels() const {
    return std::is_same_v<T, float> && kernels().few_channels && shape_.weights.size() == 4 && shape_.in.order == Order::kNhwc &&
           shape_.in.channels < 8 && shape_.in.channels * shape_.weights[3] >= 16 && shape_.out.channels >= 64;
  }

  FewChannelsGradient few_channels_gradient() const {
    return {.in = shape_.in,
            .out = shape_.out,
            .kernel_height = shape_.weights[2],
            .kernel_width = shape_.weights[3],
            .stride_height = shape_.stride[0],
            .stride_width = shape_.stride[1],
            .padding_height = shape_.padding[0],
            .padding_width = shape_.padding[1],
            .threads = threads_,
            .x = nullptr,
            .dy = nullptr,
            .gradient = nullptr,
            .accumulate = false,
            .scratch = nullptr};
  }

  void compute_few_channels_gradient(const SubBatch& batch) const {
    FewChannelsGradient job = few_channels_gradient();
    job.x = arena_.at<float>(x_);
    job.dy = arena_.at<float>(gradient_.buffer());
    job.gradient = batch.gradients + weights_offset_;
    job.accumulate = batch.accumulate;
    job.scratch = arena_.at<float>(few_channels_scratch_);
    kernels().few_channels->gradient(job);
  }

  void compute_bias_gradient(const SubBatch& batch) const {
    kernels().typed<T>().bias_gradient({.layout = shape_.out,
                                        .dy = arena_.at<T>(gradient_.buffer()),
                                        .partial = arena_.at<double>(bias_gradient_),
                                        .gradient = batch.gradients + bias_offset_,
                                        .accumulate = batch.accumulate});
  }

  int node_;
  int input_;
  LinearShape shape_;
  ConvolutionWeights weights_;
  int64_t weights_offset_ = 0;
  int64_t bias_offset_ = 0;
  BufferId x_ = -1;
  BufferId y_ = -1;
  BufferId dx_ = -1;
  BufferId bias_gradient_ = -1;
  BufferId few_channels_scratch_ = -1;
  int64_t threads_ = omp_get_max_threads();
  WeightCopies copies_;
  size_t forward_copy_ = 0;
  size_t data_copy_ = 0;
  BoundPrimitive forward_;
  BoundPrimitive backward_data_;
  BoundPrimitive backward_weights_;
  std::optional<GroupedGradient> grouped_;
  WeightGradient weight_gradient_;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_convolution(PlanBuilder& builder, const FusedOperation& operation) {
  if (auto winograd = make_winograd_convolution(builder, operation)) return winograd;
  if (auto depthwise = make_depthwise_convolution(builder, operation)) return depthwise;
  if (auto taps = make_tap_convolution(builder, operation)) return taps;
  return make_typed<DirectConvolution>(builder, operation);
}

}  // namespace dl::cpu
