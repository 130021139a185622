#include "cpu/operations/unary_operation.h"

namespace dl::cpu {
namespace {

/// Training: y = x / (1 - probability) where the mask keeps the value, else 0; the mask is generated anew backward. Applying: y =
/// x.
template <class T>
class DropoutOperation final : public UnaryOperation<T> {
 public:
  DropoutOperation(PlanBuilder& builder, const FusedOperation& operation)
      : UnaryOperation<T>(builder, operation), training_(builder.training()) {
    probability_ = static_cast<float>(std::get<Dropout>(builder.node(this->node()).kind).probability);
    y_ = training_ ? builder.create_value(this->node(), this->in().layout, this->in().type).buffer
                   : builder.create_value_in_place(this->node(), this->input()).buffer;
  }

  void forward(SubBatch& batch) override {
    if (training_) mask(batch, this->x(), this->arena().template at<T>(y_));
  }

 private:
  void propagate(const SubBatch& batch, const T* dy, T* dx) const override { mask(batch, dy, dx); }

  void mask(const SubBatch& batch, const T* from, T* to) const {
    kernels().typed<T>().dropout(this->in().layout, from, to, probability_, batch.seed, static_cast<uint32_t>(this->node()),
                                 batch.step, batch.images_before);
  }

  bool training_;
  float probability_;
  BufferId y_ = -1;
};

}  // namespace

std::unique_ptr<Operation> make_dropout(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<DropoutOperation>(builder, operation);
}

}  // namespace dl::cpu
