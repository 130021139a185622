#include "cuda/convolution/descriptor.h"

#include <algorithm>
#include <utility>

namespace dl::cuda {

Descriptor::Descriptor(cudnnBackendDescriptorType_t type) {
  check(cudnn().cudnnBackendCreateDescriptor(type, &descriptor_), "making a descriptor");
}

Descriptor::~Descriptor() {
  if (descriptor_ != nullptr) cudnn().cudnnBackendDestroyDescriptor(descriptor_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, nullptr)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void Descriptor::set(cudnnBackendAttributeName_t name, const std::vector<Descriptor>& parts) {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor& part : parts) raw.push_back(part.descriptor_);
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(raw.size()), raw.data());
}

void Descriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* values) {
  check(cudnn().cudnnBackendSetAttribute(descriptor_, name, type, count, values), "setting an attribute");
}

int64_t Descriptor::get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t capacity,
                        void* values) const {
  int64_t count = 0;
  check(cudnn().cudnnBackendGetAttribute(descriptor_, name, type, capacity, &count, values), "reading an attribute");
  return count;
}

void Descriptor::finalize() { check(cudnn().cudnnBackendFinalize(descriptor_), "finalising a descriptor"); }

bool Descriptor::try_finalize() { return cudnn().cudnnBackendFinalize(descriptor_) == CUDNN_STATUS_SUCCESS; }

int64_t Descriptor::integer(cudnnBackendAttributeName_t name) const {
  int64_t value = 0;
  get(name, CUDNN_TYPE_INT64, 1, &value);
  return value;
}

cudnnBackendKnobType_t Descriptor::knob_type(cudnnBackendAttributeName_t name) const {
  cudnnBackendKnobType_t value{};
  get(name, CUDNN_TYPE_KNOB_TYPE, 1, &value);
  return value;
}

std::vector<cudnnBackendNumericalNote_t> Descriptor::numerical_notes(cudnnBackendAttributeName_t name) const {
  std::vector<cudnnBackendNumericalNote_t> notes(CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  notes.resize(static_cast<size_t>(get(name, CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, notes.data())));
  return notes;
}

std::vector<Descriptor> Descriptor::parts(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type,
                                          int64_t most) const {
  std::vector<Descriptor> parts;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < most; ++i) {
    parts.emplace_back(type);
    raw.push_back(parts.back().get());
  }
  const int64_t written = most == 0 ? 0 : get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, raw.data());
  parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(std::min(written, most)), parts.end());
  return parts;
}

}  // namespace dl::cuda
