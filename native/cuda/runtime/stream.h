#pragma once

#include <cuda_runtime_api.h>

namespace dl::cuda {

/// A queue of work for the present device; does not wait for the default stream.
class Stream {
 public:
  Stream();
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  operator cudaStream_t() const { return stream_; }
  void synchronize() const;
  /// Whether all that was enqueued has been done.
  bool idle() const;

 private:
  cudaStream_t stream_ = nullptr;
};

/// A point in a stream.
class Event {
 public:
  Event();
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  operator cudaEvent_t() const { return event_; }
  void record(cudaStream_t stream) const;
  /// Recorded by a graph each time that it runs; call it while the stream is captured.
  void record_in_graph(cudaStream_t stream) const;
  /// The host waits.
  void synchronize() const;
  /// What is enqueued on the stream from now on waits.
  void hold(cudaStream_t stream) const;
  /// After both have been reached.
  double seconds_since(const Event& earlier) const;

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace dl::cuda
