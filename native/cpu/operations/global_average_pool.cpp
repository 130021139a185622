#include "cpu/operations/unary_operation.h"

namespace dl::cpu {
namespace {

/// The mean over height and width. Where it gives the logits themselves, they are float32 in every precision.
template <class T>
class GlobalAverage final : public UnaryOperation<T> {
 public:
  GlobalAverage(PlanBuilder& builder, const FusedOperation& operation) : UnaryOperation<T>(builder, operation) {
    logits_ = builder.gives_logits(this->node());
    const DataType type = logits_ ? DataType::kFloat32 : this->in().type;
    y_ = builder.create_value(this->node(), builder.layout(builder.node(this->node()).shape), type).buffer;
  }

  void forward(SubBatch& /*batch*/) override {
    const auto& typed = kernels().typed<T>();
    if (logits_) {
      typed.global_average_forward_float(this->in().layout, this->x(), this->arena().template at<float>(y_));
    } else {
      typed.global_average_forward(this->in().layout, this->x(), this->arena().template at<T>(y_));
    }
  }

 private:
  void propagate(const SubBatch& /*batch*/, const T* dy, T* dx) const override {
    kernels().typed<T>().global_average_backward(this->in().layout, dy, dx);
  }

  bool logits_;
  BufferId y_ = -1;
};

}  // namespace

std::unique_ptr<Operation> make_global_average_pool(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<GlobalAverage>(builder, operation);
}

}  // namespace dl::cpu
