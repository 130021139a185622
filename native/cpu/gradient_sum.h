#pragma once

#include <vector>

#include "cpu/kernels/kernels.h"
#include "cpu/plan_builder.h"

namespace dl::cpu {

/// The gradient of an operation's output as one buffer: where several readers contribute, they are added up first.
template <class T>
class GradientSum {
 public:
  /// Called in the backward half of the operation that gives `node`.
  void plan(PlanBuilder& builder, int node) {
    sources_ = builder.read_gradient(node);
    size_ = builder.layout_of(node).size();
    target_ = sources_.front();
    if (sources_.size() > 1 && !builder.can_sum_in_place(sources_))
      target_ = builder.scratch(size_ * static_cast<int64_t>(sizeof(T)));
  }

  BufferId buffer() const { return target_; }

  /// Adds up; called first in the operation's backward().
  const T* compute(const Arena& arena) const {
    T* sum = arena.at<T>(target_);
    for (size_t i = 1; i < sources_.size(); ++i) {
      const T* so_far = i == 1 ? arena.at<T>(sources_[0]) : sum;
      kernels().typed<T>().add(size_, so_far, arena.at<T>(sources_[i]), sum);
    }
    return sum;
  }

 private:
  std::vector<BufferId> sources_;
  BufferId target_ = -1;
  int64_t size_ = 0;
};

}  // namespace dl::cpu
