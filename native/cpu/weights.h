#pragma once

#include <vector>

#include "cpu/onednn.h"
#include "cpu/plan_builder.h"

namespace dl::cpu {

/// One layer's weights as the primitives want them: copies of the float32 masters in other layouts and types, in the arena. They
/// stay and are loaded when the masters change; or they live from the layer's forward to its backward half alone, for layers
/// whose weights change at every step anyhow, and are loaded by each forward half.
class WeightCopies {
 public:
  WeightCopies() = default;
  explicit WeightCopies(const dnnl::memory::dims& dims, bool stay = true) : plain_(plain_weights_descriptor(dims)), stay_(stay) {}

  /// Index of the copy in this layout; made if there is none yet.
  size_t add(PlanBuilder& builder, const dnnl::memory::desc& wanted);
  void bind(const Arena& arena);
  /// `weights`: the layer's, in torchvision's order.
  void load(const float* weights);

  bool stay() const { return stay_; }
  const dnnl::memory::desc& descriptor(size_t copy) const { return copies_[copy].descriptor; }
  const void* data(const Arena& arena, size_t copy) const { return arena.at<std::byte>(copies_[copy].buffer); }

 private:
  struct Copy {
    dnnl::memory::desc descriptor;
    BufferId buffer;
    BoundPrimitive reorder;
  };
  dnnl::memory::desc plain_;
  bool stay_ = true;
  std::vector<Copy> copies_;
};

/// One layer's weight gradient: from the layout that the primitive writes to the flat gradients.
class WeightGradient {
 public:
  WeightGradient() = default;
  WeightGradient(PlanBuilder& builder, const dnnl::memory::dims& dims, int64_t offset, const dnnl::memory::desc& written);

  void bind(const Arena& arena);
  /// What the primitive writes.
  BufferId buffer() const { return buffer_; }
  const dnnl::memory::desc& written() const { return written_; }
  /// Overwrites the flat gradients of this layer, or adds to them.
  void store(const SubBatch& batch);

 private:
  dnnl::memory::desc plain_;
  dnnl::memory::desc written_;
  int64_t offset_ = 0;
  BufferId buffer_ = -1;
  BoundPrimitive overwrite_;
  BoundPrimitive accumulate_;
};

}  // namespace dl::cpu
