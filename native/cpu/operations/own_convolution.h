#pragma once

#include <optional>

#include "cpu/convolution_weights.h"
#include "cpu/gradient_sum.h"
#include "cpu/operations/linear_shape.h"

namespace dl::cpu {

/// A convolution by kernels of our own:
///   y = W * x + bias,   dx = W^T * dy,   dW = dy * x^T,   dbias = sum of dy over images and space.
/// Its buffers and the order of its work; what is computed, and from which copies of the filters, is the derived class's.
template <class T>
class OwnConvolution : public Operation {
 public:
  void plan_backward(PlanBuilder& builder) final {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_)) {
      gradient_scratch_ = builder.scratch(float_bytes(weight_gradient_scratch()));
      if (bias_offset_)
        bias_scratch_ = builder.scratch(reduction_items(out_) * out_.channels * static_cast<int64_t>(sizeof(double)));
    }
    if (!builder.wants_gradient(input_)) return;
    plan_data_gradient(builder);
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) final {
    arena_ = arena;
    weights_.bind(arena);
  }

  void load_weights(const float* values) final {
    prepare_filters(weights_.load(values));
    stage_.bias = weights_.bias();
  }

  void backward(SubBatch& batch) final {
    const T* dy = gradient_.compute(arena_);
    if (gradient_scratch_ >= 0) {
      compute_weight_gradient({.x = values(x_),
                               .dy = dy,
                               .gradient = batch.gradients + weights_offset_,
                               .accumulate = batch.accumulate,
                               .scratch = floats(gradient_scratch_)});
      if (bias_offset_) {
        kernels().typed<T>().bias_gradient({.layout = out_,
                                            .dy = dy,
                                            .partial = arena_.at<double>(bias_scratch_),
                                            .gradient = batch.gradients + *bias_offset_,
                                            .accumulate = batch.accumulate});
      }
    }
    batch.weights_done();
    if (dx_ >= 0) compute_data_gradient(dy, batch.values + weights_offset_, values(dx_));
  }

 protected:
  struct WeightGradient {
    const T* x;
    const T* dy;
    float* gradient;  // (out, in / groups, kernel height, kernel width)
    bool accumulate;  // add to the gradient
    float* scratch;
  };

  OwnConvolution(PlanBuilder& builder, const FusedOperation& operation, const LinearShape& shape)
      : node_(operation.node),
        input_(builder.node(node_).inputs[0]),
        out_(shape.out),
        weights_(builder, operation),
        stage_{nullptr, shape.adds, shape.activation},
        weights_offset_(builder.parameter(node_, 0)) {
    if (shape.bias && builder.training()) bias_offset_ = builder.parameter(node_, 1);
    x_ = builder.read_value(input_).buffer;
    if (!builder.frozen(node_)) builder.keep_for_backward(x_);
    y_ = builder.create_output(operation, shape.out, shape.out_type).buffer;
  }

  /// Values of float32.
  virtual int64_t weight_gradient_scratch() const = 0;
  virtual void plan_data_gradient(PlanBuilder& builder) = 0;
  /// Weights (out, in / groups, kernel height, kernel width) as the forward half reads them.
  virtual void prepare_filters(const float* weights) = 0;
  virtual void compute_weight_gradient(const WeightGradient& job) const = 0;
  virtual void compute_data_gradient(const T* dy, const float* weights, T* dx) const = 0;

  const T* x() const { return values(x_); }
  T* y() const { return values(y_); }
  /// What comes after the sums of the forward half.
  const OutputStage& stage() const { return stage_; }
  T* values(BufferId buffer) const { return arena_.at<T>(buffer); }
  float* floats(BufferId buffer) const { return arena_.at<float>(buffer); }

 private:
  int node_;
  int input_;
  Layout out_;
  ConvolutionWeights weights_;
  OutputStage stage_;
  int64_t weights_offset_;
  std::optional<int64_t> bias_offset_;  // of a bias to train
  BufferId x_ = -1;
  BufferId y_ = -1;
  BufferId dx_ = -1;
  BufferId gradient_scratch_ = -1;
  BufferId bias_scratch_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace dl::cpu
