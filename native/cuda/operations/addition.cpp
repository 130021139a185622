#include "cuda/gradients.h"
#include "cuda/operations/operations.h"

namespace dl::cuda {
namespace {

/// y = a + b, where it does not follow a batch norm. The gradient goes to both as it is.
template <class T>
class Addition final : public Operation {
 public:
  Addition(PlanBuilder& builder, const FusedOperation& operation) : node_(operation.node), inputs_(builder.node(node_).inputs) {
    const Value a = builder.read_value(inputs_[0]);
    a_ = a.buffer;
    b_ = builder.read_value(inputs_[1]).buffer;
    size_ = a.size();
    y_ = builder.create_value(node_, a.type).buffer;
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    for (const int input : inputs_) {
      if (builder.wants_gradient(input)) builder.give_gradient(input, gradient_.first());
    }
  }

  void bind(const Arena& arena, const Pass& /*pass*/, Target& /*target*/) override { arena_ = arena; }
  void forward(const Pass& pass) override {
    check(add<T>(pass.launch(), size_, arena_.at<T>(a_), arena_.at<T>(b_), arena_.at<T>(y_)), "an addition");
  }
  void backward(const Pass& pass) override { gradient_.compute(arena_, pass.launch()); }

 private:
  int node_;
  std::vector<int> inputs_;
  int64_t size_;
  BufferId a_ = -1, b_ = -1, y_ = -1;
  IncomingGradient<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_addition(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<Addition>(builder, operation);
}

}  // namespace dl::cuda
