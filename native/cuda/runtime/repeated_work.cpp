#include "cuda/runtime/repeated_work.h"

#include "cuda/runtime/error.h"

namespace dl::cuda {

RepeatedWork::~RepeatedWork() { reset(); }

void RepeatedWork::reset() {
  if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
  graph_ = nullptr;
  enqueued_once_ = false;
}

void RepeatedWork::begin_capture(cudaStream_t stream) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "beginning to capture");
}

void RepeatedWork::abandon_capture(cudaStream_t stream) {
  cudaGraph_t captured = nullptr;
  cudaStreamEndCapture(stream, &captured);
  if (captured != nullptr) cudaGraphDestroy(captured);
  cudaGetLastError();
}

void RepeatedWork::end_capture(cudaStream_t stream) {
  cudaGraph_t captured = nullptr;
  check(cudaStreamEndCapture(stream, &captured), "capturing");
  const cudaError_t error = cudaGraphInstantiate(&graph_, captured, 0);
  cudaGraphDestroy(captured);
  check(error, "making a graph");
}

void RepeatedWork::launch(cudaStream_t stream) const { check(cudaGraphLaunch(graph_, stream), "launching a graph"); }

}  // namespace dl::cuda
