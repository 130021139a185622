#include "cuda/gradients.h"
#include "cuda/operations/operations.h"

namespace dl::cuda {
namespace {

/// Training: the multinomial logistic loss and its gradient with respect to the logits. Applying: confidences. Logits are
/// float32.
template <class T>
class SoftmaxOperation final : public Operation {
 public:
  SoftmaxOperation(PlanBuilder& builder, const FusedOperation& operation) : input_(builder.node(operation.node).inputs[0]) {
    const Value& logits = builder.read_value(input_);
    images_ = logits.images;
    classes_ = logits.shape.channels;
    given_ = logits_ = logits.buffer;
    builder.keep_for_backward(given_);
    // A layer that is no fully connected one and no global average may have given them in bfloat16.
    if (logits.type != DataType::kFloat32) logits_ = builder.saved(images_ * classes_ * static_cast<int64_t>(sizeof(float)));
  }

  void plan_backward(PlanBuilder& builder) override {
    // The input itself may be the logits: then there is nothing to train, but still a loss.
    gradient_ = builder.wants_gradient(input_) ? builder.create_gradient(input_)
                                               : builder.scratch(images_ * classes_ * static_cast<int64_t>(sizeof(T)));
    reduction_ = builder.reduction(loss_reduction_size(images_));
  }

  void bind(const Arena& arena, const Pass& /*pass*/, Target& /*target*/) override { arena_ = arena; }

  void forward(const Pass& pass) override {
    if (logits_ != given_)
      check(cast(pass.launch(), images_ * classes_, arena_.at<Bfloat16>(given_), arena_.at<float>(logits_)), "converting logits");
    if (pass.confidences != nullptr)
      check(softmax(pass.launch(), images_, classes_, arena_.at<float>(logits_), pass.confidences), "a softmax");
  }

  void backward(const Pass& pass) override {
    check(softmax_loss<T>(pass.launch(), {.images = images_,
                                          .classes = classes_,
                                          .logits = arena_.at<float>(logits_),
                                          .labels = pass.labels,
                                          .class_weights = pass.class_weights,
                                          .inputs = pass.inputs,
                                          .gradient = arena_.at<T>(gradient_),
                                          .report = pass.report,
                                          .scratch = arena_.scratch(reduction_)}),
          "a loss");
  }

 private:
  int input_;
  int64_t images_;
  int64_t classes_;
  BufferId given_ = -1, logits_ = -1, gradient_ = -1;
  PlannedReduction reduction_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_softmax(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<SoftmaxOperation>(builder, operation);
}

}  // namespace dl::cuda
