#include "cuda/operations/unary_operation.h"

namespace dl::cuda {
namespace {

/// The mean over height and width. Where it gives the logits themselves, they are float32 in every precision.
template <class T>
class GlobalAverage final : public UnaryOperation<T> {
 public:
  GlobalAverage(PlanBuilder& builder, const FusedOperation& operation) : UnaryOperation<T>(builder, operation, 1) {
    logits_ = builder.gives_logits(this->node());
    y_ = builder.create_value(this->node(), logits_ ? DataType::kFloat32 : this->in().type).buffer;
  }

  void forward(const Pass& pass) override { check(logits_ ? average<float>(pass) : average<T>(pass), "a global average"); }

 private:
  template <class Y>
  cudaError_t average(const Pass& pass) const {
    return global_average_forward<T, Y>(pass.launch(), this->in().images, spatial(), this->in().shape.channels, this->x(),
                                        this->arena().template at<Y>(y_));
  }

  void propagate(const Pass& pass, const T* dy, const T* /*dy2*/, T* dx) const override {
    check(global_average_backward<T>(pass.launch(), this->in().images, spatial(), this->in().shape.channels, dy, dx),
          "a global average's gradient");
  }

  int64_t spatial() const { return this->in().shape.height * this->in().shape.width; }

  bool logits_;
  BufferId y_ = -1;
};

}  // namespace

std::unique_ptr<Operation> make_global_average_pool(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<GlobalAverage>(builder, operation);
}

}  // namespace dl::cuda
