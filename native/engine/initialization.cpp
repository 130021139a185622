#include "engine/initialization.h"

#include <cmath>
#include <numbers>
#include <string_view>

#include "engine/random.h"

namespace dl {
namespace {

/// FNV-1a, 32 bits.
uint32_t name_hash(std::string_view name) {
  uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return hash;
}

/// In (0, 1).
double uniform(uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

void he_normal(const TensorInfo& tensor, uint64_t seed, std::span<float> values) {
  const int64_t fan_in = tensor.size() / tensor.shape.front();
  const double deviation = std::sqrt(2.0 / static_cast<double>(fan_in));
  const auto key = philox_key(seed);
  const uint32_t hash = name_hash(tensor.name);
  for (size_t i = 0; i < values.size(); i += 4) {
    const uint64_t block = i / 4;
    const auto words =
        philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), kInitializationStream, hash}, key);
    // Box-Muller: two pairs of uniform numbers give two pairs of normal ones.
    for (size_t pair = 0; pair < 2; ++pair) {
      const double radius = deviation * std::sqrt(-2 * std::log(uniform(words[2 * pair])));
      const double angle = 2 * std::numbers::pi * uniform(words[2 * pair + 1]);
      if (i + 2 * pair < values.size()) values[i + 2 * pair] = static_cast<float>(radius * std::cos(angle));
      if (i + 2 * pair + 1 < values.size()) values[i + 2 * pair + 1] = static_cast<float>(radius * std::sin(angle));
    }
  }
}

bool ends_with(const TensorInfo& tensor, std::string_view suffix) { return tensor.name.ends_with(suffix); }

}  // namespace

void initialize(const TensorInfo& tensor, uint64_t seed, std::span<float> values) {
  if (tensor.role == TensorRole::kWeight) return he_normal(tensor, seed, values);
  // Of the tensors that are not weights, a batch norm's scale and variance start at 1, all else at 0.
  const bool one = ends_with(tensor, ".running_var") || (tensor.role == TensorRole::kBias && ends_with(tensor, ".weight"));
  for (float& value : values) value = one ? 1.0f : 0.0f;
}

}  // namespace dl
