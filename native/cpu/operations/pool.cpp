#include "cpu/operations/unary_operation.h"

namespace dl::cpu {
namespace {

/// Maximum or average over windows.
template <class T>
class Pooling final : public UnaryOperation<T> {
 public:
  Pooling(PlanBuilder& builder, const FusedOperation& operation)
      : UnaryOperation<T>(builder, operation), out_(this->in().layout) {
    const Graph::Node& node = builder.node(this->node());
    const Pool& pool = std::get<Pool>(node.kind);
    maximum_ = pool.kind == Pool::Kind::kMax;
    window_ = {pool.kernel[0],  pool.kernel[1],  pool.stride[0],        pool.stride[1],
               pool.padding[0], pool.padding[1], pool.count_include_pad};
    out_.height = node.shape.height;
    out_.width = node.shape.width;
    y_ = builder.create_value(this->node(), out_, this->in().type).buffer;
    if (maximum_ && builder.training()) chosen_ = builder.saved(out_.size());
  }

  void forward(SubBatch& /*batch*/) override {
    const auto& typed = kernels().typed<T>();
    T* y = this->arena().template at<T>(y_);
    if (maximum_) {
      typed.max_pool_forward(this->in().layout, out_, window_, this->x(), y, chosen());
    } else {
      typed.average_pool_forward(this->in().layout, out_, window_, this->x(), y);
    }
  }

 private:
  void propagate(const SubBatch& /*batch*/, const T* dy, T* dx) const override {
    const auto& typed = kernels().typed<T>();
    if (maximum_) {
      typed.max_pool_backward(this->in().layout, out_, window_, dy, chosen(), dx);
    } else {
      typed.average_pool_backward(this->in().layout, out_, window_, dy, dx);
    }
  }

  uint8_t* chosen() const { return chosen_ < 0 ? nullptr : this->arena().template at<uint8_t>(chosen_); }

  bool maximum_;
  Window window_;
  Layout out_;
  BufferId y_ = -1, chosen_ = -1;
};

}  // namespace

std::unique_ptr<Operation> make_pool(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<Pooling>(builder, operation);
}

}  // namespace dl::cpu
