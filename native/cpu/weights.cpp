#include "cpu/weights.h"

namespace dl::cpu {

size_t WeightCopies::add(PlanBuilder& builder, const dnnl::memory::desc& wanted) {
  for (size_t i = 0; i < copies_.size(); ++i) {
    if (copies_[i].descriptor == wanted) return i;
  }
  const auto bytes = static_cast<int64_t>(wanted.get_size());
  const BufferId buffer = stay_ ? builder.arena().add_persistent(bytes) : builder.saved(bytes);
  copies_.push_back({wanted, buffer, BoundPrimitive(reorder_choice(plain_, wanted, false), builder.arena(), builder.now())});
  return copies_.size() - 1;
}

void WeightCopies::bind(const Arena& arena) {
  for (Copy& copy : copies_) {
    copy.reorder.bind(*arena.plan, arena.memory);
    copy.reorder.argument(DNNL_ARG_TO, copy.descriptor, arena.at<std::byte>(copy.buffer));
  }
}

void WeightCopies::load(const float* weights) {
  for (Copy& copy : copies_) {
    copy.reorder.argument(DNNL_ARG_FROM, plain_, weights);
    copy.reorder.execute();
  }
}

WeightGradient::WeightGradient(PlanBuilder& builder, const dnnl::memory::dims& dims, int64_t offset,
                               const dnnl::memory::desc& written)
    : plain_(plain_weights_descriptor(dims)),
      written_(written),
      offset_(offset),
      buffer_(builder.scratch(static_cast<int64_t>(written.get_size()))),
      overwrite_(reorder_choice(written, plain_, false), builder.arena(), builder.now()),
      accumulate_(reorder_choice(written, plain_, true), builder.arena(), builder.now()) {}

void WeightGradient::bind(const Arena& arena) {
  for (BoundPrimitive* reorder : {&overwrite_, &accumulate_}) {
    reorder->bind(*arena.plan, arena.memory);
    reorder->argument(DNNL_ARG_FROM, written_, arena.at<std::byte>(buffer_));
  }
}

void WeightGradient::store(const SubBatch& batch) {
  BoundPrimitive& reorder = batch.accumulate ? accumulate_ : overwrite_;
  reorder.argument(DNNL_ARG_TO, plain_, batch.gradients + offset_);
  reorder.execute();
}

}  // namespace dl::cpu
