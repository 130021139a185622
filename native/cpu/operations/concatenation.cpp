#include "cpu/gradient_sum.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {
namespace {

/// The channels of several activations one after the other; backward, each gets its part of the gradient.
template <class T>
class Concatenation final : public Operation {
 public:
  Concatenation(PlanBuilder& builder, const FusedOperation& operation) : node_(operation.node) {
    const Graph::Node& node = builder.node(node_);
    int64_t channel = 0;
    DataType type = builder.type();
    for (const int input : node.inputs) {
      const Value& x = builder.read_value(input);
      parts_.push_back({input, x.layout, channel, x.buffer, -1});
      channel += x.layout.channels;
      type = x.type;
    }
    layout_ = builder.layout(node.shape);
    y_ = builder.create_value(node_, layout_, type).buffer;
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    for (Part& part : parts_) {
      if (builder.wants_gradient(part.node)) part.dx = builder.create_gradient(part.node);
    }
  }

  void bind(const Arena& arena) override { arena_ = arena; }

  void forward(SubBatch& /*batch*/) override {
    for (const Part& part : parts_) {
      kernels().typed<T>().concat_copy(part.layout, arena_.at<T>(part.x), layout_, arena_.at<T>(y_), part.first_channel, true);
    }
  }

  void backward(SubBatch& /*batch*/) override {
    gradient_.compute(arena_);
    for (const Part& part : parts_) {
      if (part.dx < 0) continue;
      kernels().typed<T>().concat_copy(part.layout, arena_.at<T>(part.dx), layout_, arena_.at<T>(gradient_.buffer()),
                                       part.first_channel, false);
    }
  }

 private:
  struct Part {
    int node;
    Layout layout;
    int64_t first_channel;
    BufferId x;
    BufferId dx;
  };

  int node_;
  Layout layout_;
  std::vector<Part> parts_;
  BufferId y_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_concatenation(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<Concatenation>(builder, operation);
}

}  // namespace dl::cpu
