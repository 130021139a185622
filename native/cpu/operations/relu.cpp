#include "cpu/operations/unary_operation.h"

namespace dl::cpu {
namespace {

/// y = min(max(x, 0), max), where it does not follow a batch norm.
template <class T>
class ReluOperation final : public UnaryOperation<T> {
 public:
  ReluOperation(PlanBuilder& builder, const FusedOperation& operation) : UnaryOperation<T>(builder, operation) {
    upper_ = to_activation(std::get<Relu>(builder.node(this->node()).kind)).upper;
    y_ = builder.create_value(this->node(), this->in().layout, this->in().type).buffer;
    builder.keep_for_backward(y_);
  }

  void forward(SubBatch& /*batch*/) override { kernels().typed<T>().relu_forward(size(), this->x(), upper_, y()); }

 private:
  void propagate(const SubBatch& /*batch*/, const T* dy, T* dx) const override {
    kernels().typed<T>().relu_backward(size(), dy, y(), upper_, dx);
  }

  int64_t size() const { return this->in().layout.size(); }
  T* y() const { return this->arena().template at<T>(y_); }

  float upper_;
  BufferId y_ = -1;
};

}  // namespace

std::unique_ptr<Operation> make_relu(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<ReluOperation>(builder, operation);
}

}  // namespace dl::cpu
