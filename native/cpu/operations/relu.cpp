#include <limits>

#include "cpu/gradient_sum.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// y = min(max(x, 0), max), where it does not follow a batch norm.
template <class T>
class ReluOperation final : public Operation {
 public:
  ReluOperation(PlanBuilder& builder, const FusedOperation& operation)
      : node_(operation.node), input_(builder.node(node_).inputs[0]) {
    upper_ = static_cast<float>(std::get<Relu>(builder.node(node_).kind).max.value_or(std::numeric_limits<double>::infinity()));
    const Value x = builder.read_value(input_);
    size_ = x.layout.size();
    x_ = x.buffer;
    y_ = builder.create_value(node_, x.layout, x.type).buffer;
    builder.keep_for_backward(y_);
  }

  void plan_backward(PlanBuilder& builder) override {
    if (!builder.wants_gradient(input_)) return;
    gradient_.plan(builder, node_);
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& /*batch*/) override {
    kernels().typed<T>().relu_forward(size_, arena_.at<T>(x_), upper_, arena_.at<T>(y_));
  }

  void backward(SubBatch& /*batch*/) override {
    if (dx_ < 0) return;
    kernels().typed<T>().relu_backward(size_, gradient_.compute(arena_), arena_.at<T>(y_), upper_, arena_.at<T>(dx_));
  }

 private:
  int node_;
  int input_;
  float upper_;
  int64_t size_;
  BufferId x_ = -1, y_ = -1, dx_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_relu(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<ReluOperation>(builder, operation);
}

}  // namespace dl::cpu
