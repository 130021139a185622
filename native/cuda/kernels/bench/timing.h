#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cuda/kernels/kernels.h"

namespace dl::cuda::bench {

/// Throws with CUDA's own text.
void check(cudaError_t error);

/// Device memory; zero at first.
class Memory {
 public:
  explicit Memory(int64_t bytes);
  ~Memory() { cudaFree(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
};

struct Measurement {
  std::string kernel;
  std::string type;   // "bfloat16" or "float32"
  std::string shape;  // images x height x width x channels
  int64_t bytes;      // that the kernel must read and write
  double seconds;     // median
};

/// Times kernels on one stream, each time with nothing of theirs in the second-level cache.
class Timing {
 public:
  Timing();
  ~Timing();
  Timing(const Timing&) = delete;
  Timing& operator=(const Timing&) = delete;

  const Launch& launch() const { return launch_; }
  ReductionScratch scratch() const { return {partial_.as<void>(), counters_.as<uint32_t>()}; }
  /// Calls `enqueue` several times and keeps the median.
  void measure(const std::string& kernel, const std::string& type, const std::string& shape, int64_t bytes,
               const std::function<cudaError_t(const Launch&)>& enqueue);
  const std::vector<Measurement>& measurements() const { return measurements_; }

 private:
  void evict();

  Launch launch_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  Memory evicted_, sums_, partial_, counters_;
  std::vector<Measurement> measurements_;
};

/// The kernels of batch norm at the shapes of ResNet-50.
template <class T>
void measure_batch_norm(Timing& timing, int64_t images);
/// Pooling, pixels, loss and updates.
template <class T>
void measure_other_layers(Timing& timing, int64_t images);
void measure_updates(Timing& timing);

template <class T>
constexpr const char* kTypeName = sizeof(T) == 2 ? "bfloat16" : "float32";

}  // namespace dl::cuda::bench
