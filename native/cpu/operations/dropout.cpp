#include "cpu/gradient_sum.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// Training: y = x / (1 - probability) where the mask keeps the value, else 0; the mask is generated anew backward. Applying: y =
/// x.
template <class T>
class DropoutOperation final : public Operation {
 public:
  DropoutOperation(PlanBuilder& builder, const FusedOperation& operation)
      : node_(operation.node), input_(builder.node(node_).inputs[0]), training_(builder.training()) {
    probability_ = static_cast<float>(std::get<Dropout>(builder.node(node_).kind).probability);
    const Value x = builder.read_value(input_);
    layout_ = x.layout;
    x_ = x.buffer;
    y_ = training_ ? builder.create_value(node_, x.layout, x.type).buffer : builder.create_value_in_place(node_, input_).buffer;
  }

  void plan_backward(PlanBuilder& builder) override {
    if (!builder.wants_gradient(input_)) return;
    gradient_.plan(builder, node_);
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& batch) override {
    if (training_) mask(batch, arena_.at<T>(x_), arena_.at<T>(y_));
  }

  void backward(SubBatch& batch) override {
    if (dx_ >= 0) mask(batch, gradient_.compute(arena_), arena_.at<T>(dx_));
  }

 private:
  void mask(const SubBatch& batch, const T* from, T* to) const {
    kernels().typed<T>().dropout(layout_, from, to, probability_, batch.seed, static_cast<uint32_t>(node_), batch.step,
                                 batch.images_before);
  }

  int node_;
  int input_;
  bool training_;
  float probability_;
  Layout layout_;
  BufferId x_ = -1, y_ = -1, dx_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_dropout(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<DropoutOperation>(builder, operation);
}

}  // namespace dl::cpu
