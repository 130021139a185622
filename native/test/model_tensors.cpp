#include "test/model_tensors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace dl::test {
namespace {

reference::Values doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

}  // namespace

void randomize(Model& model, Random& random) {
  std::vector<NamedTensor> tensors;
  for (const TensorInfo& info : model.graph().tensors()) {
    const double weight_range = std::sqrt(6.0 * static_cast<double>(info.shape[0]) / static_cast<double>(info.size()));
    const bool positive = info.name.ends_with(".running_var") || info.name.ends_with(".weight");
    const reference::Values values = info.role == TensorRole::kWeight ? random.values(info.size(), -weight_range, weight_range)
                                     : positive                       ? random.values(info.size(), 0.5, 1.5)
                                                                      : random.values(info.size(), -0.5, 0.5);
    tensors.push_back({info.name, info.role, info.shape, std::vector<float>(values.begin(), values.end())});
  }
  model.restore(tensors);
}

reference::TrainingState reference_state(const Model& model) {
  const std::vector<NamedTensor> snapshot = model.snapshot();
  const bool adam = std::any_of(snapshot.begin(), snapshot.end(),
                                [](const NamedTensor& tensor) { return tensor.role == TensorRole::kFirstMoment; });
  reference::TrainingState state;
  for (const TensorInfo& info : model.graph().tensors()) {
    state.values.push_back(doubles(find(snapshot, info.name, info.role).values));
    const bool trained = info.role != TensorRole::kStatistic;
    const auto part = [&](TensorRole role, reference::Parameters& parameters) {
      parameters.push_back(trained ? doubles(find(snapshot, info.name, role).values) : reference::Values(info.size(), 0.0));
    };
    if (!adam) {
      part(TensorRole::kMomentum, state.momentum);
      continue;
    }
    part(TensorRole::kFirstMoment, state.first_moment);
    part(TensorRole::kSecondMoment, state.second_moment);
    state.updates.push_back(trained ? static_cast<double>(find(snapshot, info.name, TensorRole::kUpdateCount).values.at(0))
                                    : 0.0);
  }
  return state;
}

const NamedTensor& find(const std::vector<NamedTensor>& tensors, const std::string& name, TensorRole role) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const NamedTensor& tensor) { return tensor.name == name && tensor.role == role; });
  REQUIRE_MESSAGE(found != tensors.end(), "the snapshot lacks " << name);
  return *found;
}

bool bit_equal(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  const auto same = [](const NamedTensor& x, const NamedTensor& y) {
    return x.name == y.name && x.role == y.role && x.shape == y.shape && x.values.size() == y.values.size() &&
           std::memcmp(x.values.data(), y.values.data(), x.values.size() * sizeof(float)) == 0;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

}  // namespace dl::test
