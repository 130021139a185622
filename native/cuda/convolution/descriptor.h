#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cuda/libraries/cudnn.h"

namespace dl::cuda {

/// A descriptor of cuDNN's graph interface: attributes are set, then it is finalised, then it can be read and be part of others.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;

  cudnnBackendDescriptor_t get() const { return descriptor_; }

  void set(cudnnBackendAttributeName_t name, int32_t value) { set(name, CUDNN_TYPE_INT32, 1, &value); }
  void set(cudnnBackendAttributeName_t name, int64_t value) { set(name, CUDNN_TYPE_INT64, 1, &value); }
  void set(cudnnBackendAttributeName_t name, std::span<const int64_t> values) {
    set(name, CUDNN_TYPE_INT64, static_cast<int64_t>(values.size()), values.data());
  }
  void set(cudnnBackendAttributeName_t name, cudnnDataType_t value) { set(name, CUDNN_TYPE_DATA_TYPE, 1, &value); }
  void set(cudnnBackendAttributeName_t name, cudnnConvolutionMode_t value) { set(name, CUDNN_TYPE_CONVOLUTION_MODE, 1, &value); }
  void set(cudnnBackendAttributeName_t name, cudnnBackendHeurMode_t value) { set(name, CUDNN_TYPE_HEUR_MODE, 1, &value); }
  void set(cudnnBackendAttributeName_t name, cudnnBackendKnobType_t value) { set(name, CUDNN_TYPE_KNOB_TYPE, 1, &value); }
  void set(cudnnBackendAttributeName_t name, float value) { set(name, CUDNN_TYPE_FLOAT, 1, &value); }
  void set(cudnnBackendAttributeName_t name, cudnnHandle_t handle) { set(name, CUDNN_TYPE_HANDLE, 1, &handle); }
  void set(cudnnBackendAttributeName_t name, void* pointer) { set(name, CUDNN_TYPE_VOID_PTR, 1, &pointer); }
  void set(cudnnBackendAttributeName_t name, const std::string& text) {
    set(name, CUDNN_TYPE_CHAR, static_cast<int64_t>(text.size()) + 1, text.c_str());
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& part) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part.descriptor_);
  }
  void set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& parts);
  void set(cudnnBackendAttributeName_t name, std::span<void* const> pointers) {
    set(name, CUDNN_TYPE_VOID_PTR, static_cast<int64_t>(pointers.size()), pointers.data());
  }

  /// Throws where the attributes do not go together.
  void finalize();
  /// False where cuDNN or the device does not support what the descriptor asks for.
  bool try_finalize();

  int64_t integer(cudnnBackendAttributeName_t name) const;
  cudnnBackendKnobType_t knob_type(cudnnBackendAttributeName_t name) const;
  std::vector<cudnnBackendNumericalNote_t> numerical_notes(cudnnBackendAttributeName_t name) const;
  /// The parts of a finalised descriptor, `most` at most; all are of this type.
  std::vector<Descriptor> parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type, int64_t most) const;
  /// How many there are, where cuDNN tells that of the attribute: of a configuration's knobs it says 0.
  int64_t count(cudnnBackendAttributeName_t name) const { return get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr); }

 private:
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values);
  int64_t get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t capacity, void* values) const;

  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

}  // namespace dl::cuda
