#include "cuda/runtime/stream.h"

#include "cuda/runtime/error.h"

namespace dl::cuda {

Stream::Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"); }

void Stream::synchronize() const { check(cudaStreamSynchronize(stream_), "waiting for the device"); }

bool Stream::idle() const {
  const cudaError_t error = cudaStreamQuery(stream_);
  if (error == cudaErrorNotReady) {
    cudaGetLastError();  // it is none
    return false;
  }
  check(error, "asking the device whether it is ready");
  return true;
}

Event::Event() { check(cudaEventCreate(&event_), "making an event"); }

void Event::record(cudaStream_t stream) const { check(cudaEventRecord(event_, stream), "recording an event"); }

void Event::record_in_graph(cudaStream_t stream) const {
  check(cudaEventRecordWithFlags(event_, stream, cudaEventRecordExternal), "recording an event");
}

void Event::synchronize() const { check(cudaEventSynchronize(event_), "waiting for an event"); }

void Event::hold(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_, 0), "waiting for an event"); }

double Event::seconds_since(const Event& earlier) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, earlier.event_, event_), "reading a time");
  return static_cast<double>(milliseconds) / 1000;
}

}  // namespace dl::cuda
