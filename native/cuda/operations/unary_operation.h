#pragma once

#include "cuda/gradients.h"
#include "cuda/operations/operations.h"

namespace dl::cuda {

/// An operation with one input and no parameters: what such operations share of planning and of the backward half.
template <class T>
class UnaryOperation : public Operation {
 public:
  void plan_backward(PlanBuilder& builder) final {
    if (!builder.wants_gradient(input_)) return;
    gradient_.plan(builder, node_, most_contributions_);
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena, const Pass& /*pass*/, Target& /*target*/) final { arena_ = arena; }

  void backward(const Pass& pass) final {
    if (dx_ < 0) return;
    gradient_.compute(arena_, pass.launch());
    propagate(pass, gradient_.dy(arena_), gradient_.dy2(arena_), arena_.at<T>(dx_));
  }

 protected:
  /// `most_contributions`: of the gradient that propagate() can take, 1 or 2.
  UnaryOperation(PlanBuilder& builder, const FusedOperation& operation, size_t most_contributions)
      : node_(operation.node),
        input_(builder.node(node_).inputs[0]),
        most_contributions_(most_contributions),
        in_(builder.read_value(input_)) {}

  /// dx from dy and, where it is not null, dy2.
  virtual void propagate(const Pass& pass, const T* dy, const T* dy2, T* dx) const = 0;

  int node() const { return node_; }
  int input() const { return input_; }
  /// The input's shape, type and memory.
  const Value& in() const { return in_; }
  const T* x() const { return arena_.at<T>(in_.buffer); }
  const Arena& arena() const { return arena_; }

 private:
  int node_;
  int input_;
  size_t most_contributions_;
  Value in_;
  BufferId dx_ = -1;
  IncomingGradient<T> gradient_;
  Arena arena_;
};

}  // namespace dl::cuda
