#include "cuda/gradients.h"
#include "cuda/operations/operations.h"

namespace dl::cuda {
namespace {

/// The channels of several activations one after the other; backward, each gets its part of the gradient.
template <class T>
class Concatenation final : public Operation {
 public:
  Concatenation(PlanBuilder& builder, const FusedOperation& operation) : node_(operation.node) {
    int64_t channel = 0;
    for (const int input : builder.node(node_).inputs) {
      const Value& x = builder.read_value(input);
      parts_.push_back({input, x.shape.channels, channel, x.buffer, -1});
      channel += x.shape.channels;
    }
    const Value& y = builder.create_value(node_, builder.type());
    rows_ = y.rows();
    channels_ = channel;
    y_ = y.buffer;
  }

  void plan_backward(PlanBuilder& builder) override {
    gradient_.plan(builder, node_);
    for (Part& part : parts_) {
      if (builder.wants_gradient(part.node)) part.dx = builder.create_gradient(part.node);
    }
  }

  void bind(const Arena& arena, const Pass& /*pass*/, Target& /*target*/) override { arena_ = arena; }

  void forward(const Pass& pass) override {
    for (const Part& part : parts_) copy(pass, part, part.x, y_, true);
  }

  void backward(const Pass& pass) override {
    gradient_.compute(arena_, pass.launch());
    for (const Part& part : parts_) {
      if (part.dx >= 0) copy(pass, part, part.dx, gradient_.first(), false);
    }
  }

 private:
  struct Part {
    int node;
    int64_t channels;
    int64_t first_channel;
    BufferId x;
    BufferId dx;
  };

  void copy(const Pass& pass, const Part& part, BufferId part_values, BufferId whole, bool into_whole) const {
    check(concat_copy<T>(pass.launch(), {.rows = rows_,
                                         .part_channels = part.channels,
                                         .whole_channels = channels_,
                                         .first_channel = part.first_channel,
                                         .part = arena_.at<T>(part_values),
                                         .whole = arena_.at<T>(whole),
                                         .into_whole = into_whole}),
          "a concatenation");
  }

  int node_;
  int64_t rows_ = 0;
  int64_t channels_ = 0;
  std::vector<Part> parts_;
  BufferId y_ = -1;
  IncomingGradient<T> gradient_;
  Arena arena_;
};

}  // namespace

std::unique_ptr<Operation> make_concatenation(PlanBuilder& builder, const FusedOperation& operation) {
  return make_typed<Concatenation>(builder, operation);
}

}  // namespace dl::cuda
