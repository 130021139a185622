// The streams, events and graphs of the stand-in for the CUDA runtime.
#include "test/cuda_on_host/streams.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "cuda/kernels/launch.h"

namespace dl::test {
namespace {

struct HostStream;

/// A number of pieces of work in a stream.
struct Point {
  HostStream* stream = nullptr;
  uint64_t done = 0;

  bool reached() const;
};

/// Work, or the wait for a point.
struct Piece {
  std::function<void()> work;
  Point awaited;
};

/// What a stream has captured; each launch puts all of it into a stream.
using Graph = std::vector<Piece>;

struct HostStream {
  Pace pace = Pace::kAtOnce;
  std::optional<Graph> captured;  // while it is captured: nothing of that is done
  std::deque<Piece> waiting;      // the first until it has been done
  bool busy = false;              // with the first
  uint64_t done = 0;
  uint64_t awaited = 0;  // of those done
  bool asked = true;     // since something was put into it
  cudaError_t refusal = cudaSuccess;
  int copies_before_refusal = 0;

  Point end() { return {this, done + waiting.size()}; }
};

bool Point::reached() const { return stream == nullptr || stream->done >= done; }

/// Those that this thread has used. The list is never destroyed: devices that live as long as the process end their streams
/// after all objects of the main thread.
thread_local std::vector<HostStream*>& streams = *new std::vector<HostStream*>;
thread_local bool hurrying = false;
thread_local bool event_is_awaited = false;
thread_local cudaError_t fate = cudaSuccess;
thread_local std::map<GraphStage, cudaError_t> graph_refusals;
thread_local uint64_t graphs = 0;

void reach(const Point& point);

void do_next(HostStream& stream) {
  const Piece& piece = stream.waiting.front();
  stream.busy = true;
  if (piece.work) {
    piece.work();
  } else {
    reach(piece.awaited);
  }
  stream.busy = false;
  stream.waiting.pop_front();
  ++stream.done;
  if (event_is_awaited) ++stream.awaited;
}

/// Lets the streams that do everything at once do what they can.
void hurry() {
  if (std::exchange(hurrying, true)) return;
  for (bool idle = false; !idle;) {
    idle = true;
    for (HostStream* stream : streams) {
      if (stream->pace == Pace::kLate || stream->busy || stream->waiting.empty()) continue;
      const Piece& next = stream->waiting.front();
      if (!next.work && !next.awaited.reached()) continue;
      do_next(*stream);
      idle = false;
    }
  }
  hurrying = false;
}

void reach(const Point& point) {
  while (!point.reached()) {
    do_next(*point.stream);
    hurry();
  }
}

void put(HostStream& stream, Piece piece) {
  if (stream.captured) return stream.captured->push_back(std::move(piece));
  if (std::ranges::find(streams, &stream) == streams.end()) streams.push_back(&stream);
  stream.waiting.push_back(std::move(piece));
  stream.asked = false;
  hurry();
}

/// What refuse_graph() wants of this stage.
cudaError_t take_refusal(GraphStage stage) {
  if (fate != cudaSuccess) return fate;
  const auto refusal = graph_refusals.find(stage);
  if (refusal == graph_refusals.end()) return cudaSuccess;
  const cudaError_t error = refusal->second;
  graph_refusals.erase(refusal);
  return error;
}

HostStream& at(cudaStream_t stream) { return *reinterpret_cast<HostStream*>(stream); }
Point& at(cudaEvent_t event) { return *reinterpret_cast<Point*>(event); }
Graph& at(cudaGraph_t graph) { return *reinterpret_cast<Graph*>(graph); }
Graph& at(cudaGraphExec_t graph) { return *reinterpret_cast<Graph*>(graph); }

[[maybe_unused]] const bool kernels_go_into_streams = [] {
  cuda::on_host_stream = enqueue;
  return true;
}();

}  // namespace

void set_pace(cudaStream_t stream, Pace pace) {
  at(stream).pace = pace;
  hurry();
}

void enqueue(cudaStream_t stream, std::function<void()> work) {
  if (stream == nullptr) return work();
  put(at(stream), {std::move(work), {}});
}

void refuse_copy(cudaStream_t stream, cudaError_t error, int copies) {
  at(stream).refusal = error;
  at(stream).copies_before_refusal = copies;
}

void refuse_graph(GraphStage stage, cudaError_t error) { graph_refusals[stage] = error; }

uint64_t graphs_launched() { return graphs; }

uint64_t pieces_awaited(cudaStream_t stream) { return at(stream).awaited; }

void lose_device_of_thread() { fate = cudaErrorIllegalAddress; }

cudaError_t fate_of_thread() { return fate; }

cudaError_t take_refusal(cudaStream_t stream) {
  if (fate != cudaSuccess) return fate;
  if (stream == nullptr || at(stream).refusal == cudaSuccess || at(stream).copies_before_refusal-- > 0) return cudaSuccess;
  return std::exchange(at(stream).refusal, cudaSuccess);
}

void finish_streams() {
  for (HostStream* stream : streams) reach(stream->end());
}

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = reinterpret_cast<cudaStream_t>(new HostStream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  reach(at(stream).end());
  std::erase(streams, &at(stream));
  delete &at(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (stream != nullptr && at(stream).captured) return cudaErrorStreamCaptureUnsupported;
  if (stream != nullptr) reach(at(stream).end());
  return fate;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  HostStream& asked = at(stream);
  if (asked.captured) return cudaErrorStreamCaptureUnsupported;
  // Whoever asks for the first time is always told to wait.
  const bool ready = std::exchange(asked.asked, true) && asked.waiting.empty();
  if (!asked.waiting.empty()) {
    do_next(asked);
    hurry();
  }
  return ready ? fate : cudaErrorNotReady;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  put(at(stream), {nullptr, at(event)});
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  *event = reinterpret_cast<cudaEvent_t>(new Point);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete &at(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  // On a device it would be an event of the capture alone.
  if (at(stream).captured) return cudaErrorStreamCaptureUnsupported;
  at(event) = at(stream).end();
  return cudaSuccess;
}
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned) {
  if (!at(stream).captured) return cudaEventRecord(event, stream);
  put(at(stream), {[=] { at(event) = {&at(stream), at(stream).done + 1}; }, {}});
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  event_is_awaited = true;
  reach(at(event));
  event_is_awaited = false;
  return fate;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 0;
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  const cudaError_t refusal = take_refusal(GraphStage::kBeginCapture);
  if (refusal == cudaSuccess) at(stream).captured.emplace();
  return refusal;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const cudaError_t refusal = take_refusal(GraphStage::kEndCapture);
  *graph = refusal != cudaSuccess ? nullptr : reinterpret_cast<cudaGraph_t>(new Graph(at(stream).captured.value()));
  at(stream).captured.reset();
  return refusal;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  const cudaError_t refusal = take_refusal(GraphStage::kInstantiate);
  if (refusal == cudaSuccess) *executable = reinterpret_cast<cudaGraphExec_t>(new Graph(at(graph)));
  return refusal;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  if (const cudaError_t refusal = take_refusal(GraphStage::kLaunch); refusal != cudaSuccess) return refusal;
  ++graphs;
  for (const Piece& piece : at(graph)) put(at(stream), piece);
  return fate;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete &at(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete &at(graph);
  return cudaSuccess;
}

}  // extern "C"

}  // namespace dl::test
