#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>

#include "addon/error.h"
#include "engine/model.h"

namespace dl::addon {

/// Names a model across the two threads; never dereferenced.
using ModelKey = const void*;

/// The models of one engine. The table lives on the engine thread's stack, so that every dl::Model is made, used and destroyed
/// there.
class ModelTable {
 public:
  explicit ModelTable(Device& device) : device_(device) {}

  /// The device, on its thread. Throws what went wrong with it when the thread began.
  Device& device() const {
    if (problem_) throw *problem_;
    return device_;
  }

  /// First of all, on the device's thread.
  void begin(int threads) {
    try {
      device_.begin(threads);
    } catch (...) {
      problem_ = current_error();
    }
  }

  /// Makes a model. Where that fails, at() throws the error from then on.
  void add(ModelKey key, const std::vector<Layer>& layers, ImageShape input, uint64_t seed) {
    try {
      entries_.insert_or_assign(key, std::make_unique<Model>(device(), layers, input, seed));
    } catch (...) {
      entries_.insert_or_assign(key, current_error());
    }
  }

  Model& at(ModelKey key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) throw closed("model");
    if (const Error* error = std::get_if<Error>(&found->second)) throw *error;
    return *std::get<std::unique_ptr<Model>>(found->second);
  }

  void remove(ModelKey key) { entries_.erase(key); }

  /// Bytes that the model holds; 0 where there is none.
  int64_t memory_bytes(ModelKey key) const {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return 0;
    const auto* model = std::get_if<std::unique_ptr<Model>>(&found->second);
    return model == nullptr ? 0 : (*model)->memory_bytes();
  }

 private:
  Device& device_;
  std::optional<Error> problem_;
  std::unordered_map<ModelKey, std::variant<std::unique_ptr<Model>, Error>> entries_;
};

}  // namespace dl::addon
