#include "cpu/gradient_sum.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// The mean over height and width. Where it gives the logits themselves, they are float32 in every precision.
template <class T>
class GlobalAverage final : public Operation {
 public:
  GlobalAverage(PlanBuilder& builder, const FusedOperation& operation)
      : node_(operation.node), input_(builder.node(node_).inputs[0]) {
    const Graph::Node& node = builder.node(node_);
    const Value x = builder.read_value(input_);
    in_ = x.layout;
    x_ = x.buffer;
    logits_ = node.consumers.size() == 1 && std::holds_alternative<Softmax>(builder.node(node.consumers[0]).kind);
    y_ = builder.create_value(node_, builder.layout(node.shape), logits_ ? DataType::kFloat32 : x.type).buffer;
  }

  void plan_backward(PlanBuilder& builder) override {
    if (!builder.wants_gradient(input_)) return;
    gradient_.plan(builder, node_);
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& /*batch*/) override {
    const auto& typed = kernels().typed<T>();
    if (logits_) {
      typed.global_average_forward_float(in_, arena_.at<T>(x_), arena_.at<float>(y_));
    } else {
      typed.global_average_forward(in_, arena_.at<T>(x_), arena_.at<T>(y_));
    }
  }

  void backward(SubBatch& /*batch*/) override {
    if (dx_ >= 0) kernels().typed<T>().global_average_backward(in_, gradient_.compute(arena_), arena_.at<T>(dx_));
  }

 private:
  int node_;
  int input_;
  bool logits_;
  Layout in_;
  BufferId x_ = -1, y_ = -1, dx_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_global_average_pool(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<GlobalAverage>(builder, operation);
}

}  // namespace dl::cpu
