#include "cuda/operations/unary_operation.h"

namespace dl::cuda {
namespace {

/// Training: y = x / (1 - probability) where the mask keeps the value, else 0; the mask is generated anew backward. Applying: y =
/// x.
template <class T>
class DropoutOperation final : public UnaryOperation<T> {
 public:
  DropoutOperation(PlanBuilder& builder, const FusedOperation& operation)
      : UnaryOperation<T>(builder, operation, 1), training_(builder.training()) {
    probability_ = static_cast<float>(std::get<Dropout>(builder.node(this->node()).kind).probability);
    y_ = training_ ? builder.create_value(this->node(), this->in().type).buffer
                   : builder.create_value_in_place(this->node(), this->input()).buffer;
  }

  void forward(const Pass& pass) override {
    if (training_) mask(pass, this->x(), this->arena().template at<T>(y_));
  }

 private:
  void propagate(const Pass& pass, const T* dy, const T* /*dy2*/, T* dx) const override { mask(pass, dy, dx); }

  void mask(const Pass& pass, const T* from, T* to) const {
    check(dropout<T>(pass.launch(), {.images = this->in().images,
                                     .image_size = this->in().shape.size(),
                                     .x = from,
                                     .y = to,
                                     .probability = probability_,
                                     .stream = static_cast<uint32_t>(this->node()),
                                     .inputs = pass.inputs}),
          "a dropout");
  }

  bool training_;
  float probability_;
  BufferId y_ = -1;
};

}  // namespace

std::unique_ptr<Operation> make_dropout(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<DropoutOperation>(builder, operation);
}

}  // namespace dl::cuda
