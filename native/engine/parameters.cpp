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

int64_t ParameterStore::bytes_of(const ParameterLayout& layout) { return layout.size() * static_cast<int64_t>(sizeof(float)); }

ParameterStore::ParameterStore(const ParameterLayout& layout)
    : memory_(bytes_of(layout)), values_(memory_.at<float>(0), static_cast<size_t>(layout.size())) {}

}  // namespace dl
