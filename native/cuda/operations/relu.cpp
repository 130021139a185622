#include "cuda/operations/unary_operation.h"

namespace dl::cuda {
namespace {

/// y = min(max(x, 0), upper), where it does not follow a batch norm. What passed is told by y.
template <class T>
class ReluOperation final : public UnaryOperation<T> {
 public:
  ReluOperation(PlanBuilder& builder, const FusedOperation& operation) : UnaryOperation<T>(builder, operation, 2) {
    upper_ = to_activation(std::get<Relu>(builder.node(this->node()).kind)).upper;
    y_ = builder.create_value(this->node(), this->in().type).buffer;
    builder.keep_for_backward(y_);
  }

  void forward(const Pass& pass) override {
    check(relu_forward<T>(pass.launch(), this->in().size(), this->x(), upper_, y()), "a ReLU");
  }

 private:
  void propagate(const Pass& pass, const T* dy, const T* dy2, T* dx) const override {
    check(relu_backward<T>(pass.launch(), this->in().size(), dy, dy2, y(), upper_, dx), "a ReLU's gradient");
  }

  T* y() const { return this->arena().template at<T>(y_); }

  float upper_;
  BufferId y_ = -1;
};

}  // namespace

std::unique_ptr<Operation> make_relu(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<ReluOperation>(builder, operation);
}

}  // namespace dl::cuda
