#pragma once

#include <vector>

#include "cuda/operation.h"
#include "cuda/plan_builder.h"
#include "cuda/runtime/error.h"

namespace dl::cuda {

/// The gradient of an operation's output: the sum of what its readers contribute. Kernels that can take two contributions are
/// given both; where there are more, or the kernel takes one, they are added up first.
template <class T>
class IncomingGradient {
 public:
  /// Called in the backward half of the operation that gives `node`.
  void plan(PlanBuilder& builder, int node, size_t most_contributions = 1) {
    sources_ = builder.read_gradient(node);
    size_ = builder.gradient_size(node);
    first_ = sources_.front();
    if (sources_.size() <= most_contributions) {
      if (sources_.size() == 2) second_ = sources_[1];
      sources_.clear();
      return;
    }
    if (!builder.can_sum_in_place(sources_)) first_ = builder.scratch(size_ * static_cast<int64_t>(sizeof(T)));
  }

  BufferId first() const { return first_; }
  BufferId second() const { return second_; }
  const T* dy(const Arena& arena) const { return arena.at<T>(first_); }
  /// The second contribution, or null.
  const T* dy2(const Arena& arena) const { return arena.at<T>(second_); }

  /// Adds up; called first in the operation's backward().
  void compute(const Arena& arena, const Launch& launch) const {
    T* sum = arena.at<T>(first_);
    for (size_t i = 1; i < sources_.size(); ++i) {
      const T* so_far = i == 1 ? arena.at<T>(sources_[0]) : sum;
      check(add<T>(launch, size_, so_far, arena.at<T>(sources_[i]), sum), "adding gradients");
    }
  }

 private:
  std::vector<BufferId> sources_;  // to be added up
  BufferId first_ = -1;
  BufferId second_ = -1;
  int64_t size_ = 0;
};

/// The gradient of one tensor on its way to the flat gradients: written there, or beside it and then added.
class ParameterGradient {
 public:
  ParameterGradient() = default;
  /// Called in the backward half.
  ParameterGradient(PlanBuilder& builder, int64_t offset, int64_t size)
      : offset_(offset), size_(size), beside_(builder.scratch(size * static_cast<int64_t>(sizeof(float)))) {}

  float* target(const Arena& arena, const Pass& pass) const {
    return pass.accumulate ? arena.at<float>(beside_) : pass.gradients + offset_;
  }
  /// After the target was written.
  void finish(const Arena& arena, const Pass& pass) const {
    if (!pass.accumulate) return;
    check(accumulate(pass.launch(), size_, arena.at<float>(beside_), pass.gradients + offset_, pass.inputs),
          "adding a sub-batch's gradient");
  }

 private:
  int64_t offset_ = 0;
  int64_t size_ = 0;
  BufferId beside_ = -1;
};

}  // namespace dl::cuda
