#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace dl::cuda {

/// Work that is enqueued again and again, always the same: from the second time on as one CUDA graph. The first time it is
/// enqueued as it is: libraries load kernels when they are first used, which is not allowed while a stream is captured. Where it
/// cannot be captured after all, it is enqueued as it is every time, and standard error says so: that costs time, not results.
class RepeatedWork {
 public:
  RepeatedWork() = default;
  ~RepeatedWork();
  RepeatedWork(const RepeatedWork&) = delete;
  RepeatedWork& operator=(const RepeatedWork&) = delete;

  /// `enqueue(captured)` enqueues the work on the stream.
  template <class Enqueue>
  void run(cudaStream_t stream, const Enqueue& enqueue) {
    if (enqueued_once_ && graph_ == nullptr && capturable_) try_capture(stream, [&] { enqueue(true); });
    if (graph_ != nullptr && launched(stream)) return;
    enqueue(false);
    enqueued_once_ = true;
  }
  /// Another work is to be repeated.
  void reset();

 private:
  /// Throws only where the device is lost.
  void try_capture(cudaStream_t stream, const std::function<void()>& enqueue);
  void capture(cudaStream_t stream, const std::function<void()>& enqueue);
  /// False, and the graph is given up, where there is no memory for it: its first launch takes some.
  bool launched(cudaStream_t stream);

  bool enqueued_once_ = false;
  bool capturable_ = true;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace dl::cuda
