#include <omp.h>

#include <algorithm>
#include <optional>

#include "cpu/gradient_sum.h"
#include "cpu/operations/linear_shape.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

int64_t word_bytes(int64_t words) { return words * static_cast<int64_t>(sizeof(uint32_t)); }

/// A convolution by the own kernels of kernels/gemm_convolution.h:
///   y = W * x + bias,   dx = W^T * dy,   dW = dy * x^T,   dbias = sum of dy over images and space.
class GemmConvolutionOperation final : public Operation {
 public:
  using T = Bfloat16;

  GemmConvolutionOperation(PlanBuilder& builder, int node, const GemmShape& shape, bool bias)
      : node_(node),
        input_(builder.node(node).inputs[0]),
        shape_(shape),
        threads_(omp_get_max_threads()),
        weights_offset_(builder.parameter(node, 0)) {
    if (bias) bias_offset_ = builder.parameter(node, 1);
    const Value& x = builder.read_value(input_);
    x_ = x.buffer;
    if (!builder.frozen(node)) builder.keep_for_backward(x_);
    y_ = builder.create_value(node, shape.out, x.type).buffer;
    const Correlation forward = shape.forward();
    filters_ = builder.arena().add_persistent(word_bytes(kernel().filter_words(forward)));
    scratch_ = builder.scratch(word_bytes(kernel().convolution_scratch(forward, threads_)));
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    if (!builder.frozen(node_)) {
      gradient_scratch_ = builder.scratch(word_bytes(kernel().weight_gradient_scratch(shape_, threads_)));
      if (bias_offset_) {
        bias_scratch_ = builder.scratch(reduction_items(shape_.out) * shape_.out.channels * static_cast<int64_t>(sizeof(double)));
      }
    }
    if (!builder.wants_gradient(input_)) return;
    int64_t filter_words = 0, scratch_words = 0;
    for (int64_t part = 0; part < parts(); ++part) {
      filter_words = std::max(filter_words, kernel().filter_words(shape_.data_gradient(part)));
      scratch_words = std::max(scratch_words, kernel().convolution_scratch(shape_.data_gradient(part), threads_));
    }
    data_filters_ = builder.scratch(word_bytes(filter_words));
    data_scratch_ = builder.scratch(word_bytes(scratch_words));
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void load_weights(const float* values) override {
    pack_filters(values, shape_.forward(), filters_, false);
    if (bias_offset_) bias_ = values + *bias_offset_;
  }

  void forward(SubBatch& /*batch*/) override {
    kernel().convolution({.correlation = shape_.forward(),
                          .threads = threads_,
                          .x = arena_.at<T>(x_),
                          .filters = arena_.at<uint32_t>(filters_),
                          .bias = bias_,
                          .y = arena_.at<T>(y_),
                          .scratch = arena_.at<uint32_t>(scratch_)});
  }

  void backward(SubBatch& batch) override {
    const T* dy = gradient_.compute(arena_);
    if (gradient_scratch_ >= 0) compute_weight_gradient(dy, batch);
    batch.weights_done();
    if (dx_ >= 0) compute_data_gradient(dy, batch.values);
  }

 private:
  static const GemmKernels<T>& kernel() { return *bfloat16_convolutions(); }

  /// Of the data gradient.
  int64_t parts() const { return shape_.stride_height * shape_.stride_width; }

  void compute_weight_gradient(const T* dy, SubBatch& batch) const {
    kernel().weight_gradient({.shape = shape_,
                              .threads = threads_,
                              .x = arena_.at<T>(x_),
                              .dy = dy,
                              .gradient = batch.gradients + weights_offset_,
                              .accumulate = batch.accumulate,
                              .scratch = arena_.at<uint32_t>(gradient_scratch_)});
    if (!bias_offset_) return;
    kernels().typed<T>().bias_gradient({.layout = shape_.out,
                                        .dy = dy,
                                        .partial = arena_.at<double>(bias_scratch_),
                                        .gradient = batch.gradients + *bias_offset_,
                                        .accumulate = batch.accumulate});
  }

  void compute_data_gradient(const T* dy, const float* values) const {
    for (int64_t part = 0; part < parts(); ++part) {
      const Correlation correlation = shape_.data_gradient(part);
      pack_filters(values, correlation, data_filters_, true);
      kernel().convolution({.correlation = correlation,
                            .threads = threads_,
                            .x = dy,
                            .filters = arena_.at<uint32_t>(data_filters_),
                            .bias = nullptr,
                            .y = arena_.at<T>(dx_),
                            .scratch = arena_.at<uint32_t>(data_scratch_)});
    }
  }

  void pack_filters(const float* values, const Correlation& correlation, BufferId to, bool data_gradient) const {
    kernel().filters({.correlation = correlation,
                      .weights = values + weights_offset_,
                      .kernel_height = shape_.kernel_height,
                      .kernel_width = shape_.kernel_width,
                      .data_gradient = data_gradient,
                      .packed = arena_.at<uint32_t>(to)});
  }

  int node_;
  int input_;
  GemmShape shape_;
  int64_t threads_;
  int64_t weights_offset_;
  std::optional<int64_t> bias_offset_;
  const float* bias_ = nullptr;
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

}  // namespace

std::unique_ptr<Operation> make_gemm_convolution(PlanBuilder& builder, const FusedOperation& operation) {
  const Value& x = builder.read_value(builder.node(operation.node).inputs[0]);
  const LinearShape s = linear_shape(builder, operation.node, x.layout, x.type);
  const bool applies = bfloat16_convolutions() && s.in_type == DataType::kBfloat16 && s.out_type == DataType::kBfloat16 &&
                       s.weights.size() == 4 && s.in.order == Order::kNhwc && s.out.order == Order::kNhwc;
  if (!applies) return nullptr;
  const GemmShape shape{s.in, s.out, s.weights[2], s.weights[3], s.stride[0], s.stride[1], s.padding[0], s.padding[1]};
  return std::make_unique<GemmConvolutionOperation>(builder, operation.node, shape, s.bias);
}

}  // namespace dl::cpu
