#include "cuda/runtime/repeated_work.h"

#include <iostream>

#include "cuda/runtime/error.h"

namespace dl::cuda {
namespace {

/// Forgets what the stream has captured.
void abandon_capture(cudaStream_t stream) {
  cudaGraph_t captured = nullptr;
  cudaStreamEndCapture(stream, &captured);
  if (captured != nullptr) cudaGraphDestroy(captured);
  cudaGetLastError();
}

}  // namespace

RepeatedWork::~RepeatedWork() { reset(); }

void RepeatedWork::reset() {
  if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
  graph_ = nullptr;
  enqueued_once_ = false;
  capturable_ = true;
}

void RepeatedWork::try_capture(cudaStream_t stream, const std::function<void()>& enqueue) {
  try {
    capture(stream, enqueue);
  } catch (const Error& error) {
    if (error.reason() == Reason::kDeviceLost) throw;
    capturable_ = false;
    std::cerr << "dl_cuda: work is repeated without a CUDA graph, which takes longer: " << error.what() << '\n';
  }
}

void RepeatedWork::capture(cudaStream_t stream, const std::function<void()>& enqueue) {
  // Relaxed: what a library does beside the stream, taking memory for instance, is its own matter.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "beginning to capture");
  try {
    enqueue();
  } catch (...) {
    abandon_capture(stream);
    throw;
  }
  cudaGraph_t captured = nullptr;
  check(cudaStreamEndCapture(stream, &captured), "capturing");
  cudaGraphExec_t graph = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&graph, captured, 0);
  cudaGraphDestroy(captured);
  check(error, "making a graph");
  graph_ = graph;
}

bool RepeatedWork::launched(cudaStream_t stream) {
  const cudaError_t error = cudaGraphLaunch(graph_, stream);
  if (error != cudaErrorMemoryAllocation) {
    check(error, "launching a graph");
    return true;
  }
  cudaGetLastError();
  reset();
  capturable_ = false;
  std::cerr << "dl_cuda: there is no memory for a CUDA graph: work is repeated without one, which takes longer\n";
  return false;
}

}  // namespace dl::cuda
