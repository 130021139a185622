#pragma once

#include "cpu/gradient_sum.h"
#include "cpu/operations/operations.h"

namespace dl::cpu {

/// An operation with one input and no parameters: what such operations share of planning and of the backward half.
template <class T>
class UnaryOperation : public Operation {
 public:
  void plan_backward(PlanBuilder& builder) final {
    if (!builder.wants_gradient(input_)) return;
    gradient_.plan(builder, node_);
    dx_ = builder.create_gradient(input_);
  }

  void bind(const Arena& arena) final { arena_ = arena; }

  void backward(SubBatch& batch) final {
    if (dx_ >= 0) propagate(batch, gradient_.compute(arena_), arena_.at<T>(dx_));
  }

 protected:
  UnaryOperation(PlanBuilder& builder, const FusedOperation& operation)
      : node_(operation.node), input_(builder.node(node_).inputs[0]), in_(builder.read_value(input_)) {}

  /// dx from dy.
  virtual void propagate(const SubBatch& batch, const T* dy, T* dx) const = 0;

  int node() const { return node_; }
  int input() const { return input_; }
  /// The input's layout, type and memory.
  const Value& in() const { return in_; }
  const T* x() const { return arena_.at<T>(in_.buffer); }
  const Arena& arena() const { return arena_; }

 private:
  int node_;
  int input_;
  Value in_;
  BufferId dx_ = -1;
  GradientSum<T> gradient_;
  Arena arena_;
};

}  // namespace dl::cpu
