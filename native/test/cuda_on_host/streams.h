#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>

namespace dl::test {

/// When a stream of the stand-in for the CUDA runtime does what it is given: as soon as what it waits for has been done, or not
/// before somebody waits for it. On a device it may be any time between.
enum class Pace { kAtOnce, kLate };

/// Streams begin with kAtOnce.
void set_pace(cudaStream_t stream, Pace pace);

/// Puts work of the device into the stream.
void enqueue(cudaStream_t stream, std::function<void()> work);

/// One copy is refused with this error when it is put into the stream: the one after `copies` others.
void refuse_copy(cudaStream_t stream, cudaError_t error, int copies);

/// The next time that this thread comes so far with a graph, it is refused with this error.
enum class GraphStage { kBeginCapture, kEndCapture, kInstantiate, kLaunch };
void refuse_graph(GraphStage stage, cudaError_t error);
/// Graphs that this thread has launched so far.
uint64_t graphs_launched();

/// Pieces of work that the stream has done so far because the host waited for an event behind them.
uint64_t pieces_awaited(cudaStream_t stream);

/// Whether convolutions find no memory for kernels beside that of the plan, as cuDNN's may.
void starve_convolutions(bool starve);

/// The device of this thread is lost, as by an illegal access: from now on every call that concerns it fails.
void lose_device_of_thread();

// For the rest of the runtime.

/// The error that every call ends with, or cudaSuccess.
cudaError_t fate_of_thread();

/// What refuse_copy() wants of a copy that is put into the stream now.
cudaError_t take_refusal(cudaStream_t stream);
/// Does all that this thread has put into streams.
void finish_streams();

}  // namespace dl::test
