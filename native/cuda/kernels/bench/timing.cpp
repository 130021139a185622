#include "cuda/kernels/bench/timing.h"

#include <algorithm>
#include <stdexcept>

namespace dl::cuda::bench {
namespace {

/// Several times the second-level cache of any device.
constexpr int64_t kEvictedRows = int64_t{1} << 20, kEvictedChannels = 64;
constexpr int64_t kScratchBytes = int64_t{64} << 20, kCounters = 4096;
constexpr int kWarmUps = 2, kRepetitions = 15;

}  // namespace

void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

Memory::Memory(int64_t bytes) {
  check(cudaMalloc(&data_, static_cast<size_t>(bytes)));
  check(cudaMemset(data_, 0, static_cast<size_t>(bytes)));
}

Timing::Timing()
    : evicted_(kEvictedRows * kEvictedChannels * static_cast<int64_t>(sizeof(float))),
      sums_(kEvictedChannels * static_cast<int64_t>(sizeof(float))),
      partial_(kScratchBytes),
      counters_(kCounters * static_cast<int64_t>(sizeof(uint32_t))) {
  int device = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&launch_.multiprocessors, cudaDevAttrMultiProcessorCount, device));
  check(cudaStreamCreateWithFlags(&launch_.stream, cudaStreamNonBlocking));
  check(cudaEventCreate(&begin_));
  check(cudaEventCreate(&end_));
  check(cudaDeviceSynchronize());  // the zeros, which another stream writes
}

Timing::~Timing() {
  cudaEventDestroy(begin_);
  cudaEventDestroy(end_);
  cudaStreamDestroy(launch_.stream);
}

/// By reading: what is written would have to leave the cache while the kernel is timed.
void Timing::evict() {
  check(bias_gradient<float>(launch_, kEvictedRows, kEvictedChannels, evicted_.as<float>(), sums_.as<float>(), scratch()));
}

void Timing::measure(const std::string& kernel, const std::string& type, const std::string& shape, int64_t bytes,
                     const std::function<cudaError_t(const Launch&)>& enqueue) {
  for (int i = 0; i < kWarmUps; ++i) check(enqueue(launch_));
  std::vector<double> seconds;
  for (int i = 0; i < kRepetitions; ++i) {
    evict();
    check(cudaEventRecord(begin_, launch_.stream));
    check(enqueue(launch_));
    check(cudaEventRecord(end_, launch_.stream));
    check(cudaEventSynchronize(end_));
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin_, end_));
    seconds.push_back(static_cast<double>(milliseconds) * 1e-3);
  }
  std::nth_element(seconds.begin(), seconds.begin() + kRepetitions / 2, seconds.end());
  measurements_.push_back({kernel, type, shape, bytes, seconds[kRepetitions / 2]});
}

}  // namespace dl::cuda::bench
