#include "cpu/gradient_sum.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// Maximum or average over windows.
template <class T>
class Pooling final : public Operation {
 public:
  Pooling(PlanBuilder& builder, const FusedOperation& operation) : node_(operation.node), input_(builder.node(node_).inputs[0]) {
    const Pool& pool = std::get<Pool>(builder.node(node_).kind);
    maximum_ = pool.kind == Pool::Kind::kMax;
    window_ = {pool.kernel[0],  pool.kernel[1],  pool.stride[0],        pool.stride[1],
               pool.padding[0], pool.padding[1], pool.count_include_pad};
    const Value x = builder.read_value(input_);
    in_ = x.layout;
    out_ = x.layout;
    out_.height = builder.node(node_).shape.height;
    out_.width = builder.node(node_).shape.width;
    x_ = x.buffer;
    y_ = builder.create_value(node_, out_, x.type).buffer;
    if (maximum_ && builder.training()) chosen_ = builder.saved(out_.size());
  }

  void plan_backward(PlanBuilder& builder) override {
    if (!builder.wants_gradient(input_)) return;
    gradient_.plan(builder, node_);
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& /*batch*/) override {
    const auto& typed = kernels().typed<T>();
    if (maximum_) {
      typed.max_pool_forward(in_, out_, window_, arena_.at<T>(x_), arena_.at<T>(y_),
                             chosen_ < 0 ? nullptr : arena_.at<uint8_t>(chosen_));
    } else {
      typed.average_pool_forward(in_, out_, window_, arena_.at<T>(x_), arena_.at<T>(y_));
    }
  }

  void backward(SubBatch& /*batch*/) override {
    if (dx_ < 0) return;
    const T* dy = gradient_.compute(arena_);
    const auto& typed = kernels().typed<T>();
    if (maximum_) {
      typed.max_pool_backward(in_, out_, window_, dy, arena_.at<uint8_t>(chosen_), arena_.at<T>(dx_));
    } else {
      typed.average_pool_backward(in_, out_, window_, dy, arena_.at<T>(dx_));
    }
  }

 private:
  int node_;
  int input_;
  bool maximum_;
  Window window_;
  Layout in_, out_;
  BufferId x_ = -1, y_ = -1, dx_ = -1, chosen_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_pool(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<Pooling>(builder, operation);
}

}  // namespace dl::cpu
