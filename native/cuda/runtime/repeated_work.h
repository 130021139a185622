#pragma once

#include <cuda_runtime_api.h>

namespace dl::cuda {

/// Work that is enqueued again and again, always the same: from the second time on as one CUDA graph. The first time it is
/// enqueued as it is: libraries load kernels when they are first used, which is not allowed while a stream is captured.
class RepeatedWork {
 public:
  RepeatedWork() = default;
  ~RepeatedWork();
  RepeatedWork(const RepeatedWork&) = delete;
  RepeatedWork& operator=(const RepeatedWork&) = delete;

  /// `enqueue(captured)` enqueues the work on the stream.
  template <class Enqueue>
  void run(cudaStream_t stream, const Enqueue& enqueue) {
    if (!enqueued_once_ || !streams_can_be_captured()) {
      enqueue(false);
      enqueued_once_ = true;
      return;
    }
    if (graph_ == nullptr) {
      begin_capture(stream);
      try {
        enqueue(true);
      } catch (...) {
        abandon_capture(stream);
        throw;
      }
      end_capture(stream);
    }
    launch(stream);
  }
  /// Another work is to be repeated.
  void reset();

 private:
  static bool streams_can_be_captured();
  static void begin_capture(cudaStream_t stream);
  static void abandon_capture(cudaStream_t stream);
  void end_capture(cudaStream_t stream);
  void launch(cudaStream_t stream) const;

  bool enqueued_once_ = false;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace dl::cuda
