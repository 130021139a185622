#pragma once

#include <vector>

#include "cuda/convolution/descriptor.h"
#include "cuda/convolution/shape.h"

namespace dl::cuda {

/// The names of a convolution's tensors in a variant pack. Which of them is the result is the direction's matter.
enum class TensorUid : int64_t { kInput = 1, kFilter = 2, kOutput = 3 };

/// The device that plans are made for. In a process that has the device: the present one. From JSON, as cuDNN writes it, plans
/// are made and examined without the device.
Descriptor device_properties(int device);
Descriptor device_properties(const std::string& json);

/// A convolution as cuDNN's graph interface wants it; pointers are 16-byte aligned.
class OperationGraph {
 public:
  /// `handle` of the device that is to compute it; null where plans are examined only.
  explicit OperationGraph(const ConvolutionShape& shape, cudnnHandle_t handle = nullptr);

  const Descriptor& descriptor() const { return graph_; }
  cudnnHandle_t handle() const { return handle_; }

 private:
  cudnnHandle_t handle_;
  std::vector<Descriptor> operations_;
  Descriptor graph_;
};

}  // namespace dl::cuda
