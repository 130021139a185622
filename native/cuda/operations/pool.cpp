#include "cuda/operations/unary_operation.h"

namespace dl::cuda {
namespace {

/// Maximum or average over windows.
template <class T>
class Pooling final : public UnaryOperation<T> {
 public:
  Pooling(PlanBuilder& builder, const FusedOperation& operation) : UnaryOperation<T>(builder, operation, 2) {
    const Graph::Node& node = builder.node(this->node());
    const Pool& pool = std::get<Pool>(node.kind);
    maximum_ = pool.kind == Pool::Kind::kMax;
    window_ = {.images = this->in().images,
               .channels = node.shape.channels,
               .in_height = this->in().shape.height,
               .in_width = this->in().shape.width,
               .out_height = node.shape.height,
               .out_width = node.shape.width,
               .kernel_height = pool.kernel[0],
               .kernel_width = pool.kernel[1],
               .stride_height = pool.stride[0],
               .stride_width = pool.stride[1],
               .padding_height = pool.padding[0],
               .padding_width = pool.padding[1],
               .count_include_pad = pool.count_include_pad};
    const Value& y = builder.create_value(this->node(), this->in().type);
    y_ = y.buffer;
    if (maximum_ && builder.training()) chosen_ = builder.saved(y.size());
  }

  void forward(const Pass& pass) override {
    T* y = this->arena().template at<T>(y_);
    check(maximum_ ? max_pool_forward<T>(pass.launch(), window_, this->x(), y, chosen())
                   : average_pool_forward<T>(pass.launch(), window_, this->x(), y),
          "a pooling");
  }

 private:
  void propagate(const Pass& pass, const T* dy, const T* dy2, T* dx) const override {
    check(maximum_ ? max_pool_backward<T>(pass.launch(), window_, dy, dy2, chosen(), dx)
                   : average_pool_backward<T>(pass.launch(), window_, dy, dy2, dx),
          "a pooling's gradient");
  }

  uint8_t* chosen() const { return this->arena().template at<uint8_t>(chosen_); }

  bool maximum_;
  Window window_;
  BufferId y_ = -1, chosen_ = -1;
};

}  // namespace

std::unique_ptr<Operation> make_pool(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<Pooling>(builder, operation);
}

}  // namespace dl::cuda
