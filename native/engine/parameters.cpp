#include "engine/parameters.h"

namespace dl {

ParameterLayout::ParameterLayout(const Graph& graph) : offsets_(graph.tensors().size()) {
  constexpr int64_t kAlignment = 16;  // values: 64 bytes
  const auto place = [&](bool trained) {
    for (size_t t = 0; t < graph.tensors().size(); ++t) {
      const TensorInfo& tensor = graph.tensors()[t];
      if ((tensor.role != TensorRole::kStatistic) != trained) continue;
      offsets_[t] = size_;
      size_ += (tensor.size() + kAlignment - 1) / kAlignment * kAlignment;
    }
  };
  place(true);
  trained_size_ = size_;
  place(false);
}

}  // namespace dl
