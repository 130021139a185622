#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// Training: the multinomial logistic loss and its gradient with respect to the logits. Applying: confidences. Logits are
/// float32.
template <class T>
class SoftmaxOperation final : public Operation {
 public:
  SoftmaxOperation(PlanBuilder& builder, const FusedOperation& operation) : input_(builder.node(operation.node).inputs[0]) {
    const Value& logits = builder.read_value(input_);
    float32_ = logits.type == DataType::kFloat32;
    images_ = logits.layout.images;
    classes_ = logits.layout.channels;
    logits_ = logits.buffer;
    builder.keep_for_backward(logits_);
    if (!float32_) converted_ = builder.saved(images_ * classes_ * static_cast<int64_t>(sizeof(float)));
  }

  void plan_backward(PlanBuilder& builder) override {
    // The input itself may be the logits: then there is nothing to train, but still a loss.
    gradient_ = builder.wants_gradient(input_) ? builder.create_gradient(input_)
                                               : builder.scratch(images_ * classes_ * static_cast<int64_t>(sizeof(T)));
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& batch) override {
    if (!float32_) {
      for (int64_t i = 0; i < images_ * classes_; ++i) arena_.at<float>(converted_)[i] = load(arena_.at<Bfloat16>(logits_)[i]);
    }
    if (batch.confidences) kernels().softmax(images_, classes_, logits(), batch.confidences);
  }

  void backward(SubBatch& batch) override {
    SoftmaxLoss<T> job{.images = images_,
                       .classes = classes_,
                       .logits = logits(),
                       .labels = batch.labels.data(),
                       .class_weights = batch.class_weights.empty() ? nullptr : batch.class_weights.data(),
                       .gradient_scale = 1.0 / static_cast<double>(batch.step_images),
                       .gradient = arena_.at<T>(gradient_)};
    kernels().typed<T>().softmax_loss(job);
    batch.loss += job.loss;
    batch.errors += job.errors;
  }

 private:
  /// A layer that is no fully connected one and no global average may have given them in bfloat16.
  const float* logits() const { return float32_ ? arena_.at<float>(logits_) : arena_.at<float>(converted_); }

  int input_;
  bool float32_;
  int64_t images_;
  int64_t classes_;
  BufferId logits_ = -1, converted_ = -1, gradient_ = -1;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_softmax(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<SoftmaxOperation>(builder, operation);
}

}  // namespace dl::cpu
