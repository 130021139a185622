#include <algorithm>

#include "cuda/kernels/bench/timing.h"

namespace dl::cuda::bench {
namespace {

struct Shape {
  int64_t side, channels;
};
/// The batch norms of ResNet-50: the stem's, then of each stage the inner ones and those at the blocks' ends.
constexpr Shape kShapes[] = {{112, 64}, {56, 64}, {56, 256}, {28, 128}, {28, 512}, {14, 256}, {14, 1024}, {7, 512}, {7, 2048}};

/// Half of the values positive, so that a gate is worth something; not timed.
template <class T>
void fill(const Timing& timing, T* values, int64_t size) {
  constexpr int64_t kPiece = 1 << 20;
  std::vector<T> piece(kPiece);
  uint32_t state = 1;
  for (T& value : piece) {
    state = state * 1664525u + 1013904223u;
    store(value, static_cast<float>(state >> 8) / (1 << 23) - 1.0f);
  }
  for (int64_t done = 0; done < size; done += kPiece) {
    const auto bytes = static_cast<size_t>(std::min(kPiece, size - done)) * sizeof(T);
    check(cudaMemcpyAsync(values + done, piece.data(), bytes, cudaMemcpyHostToDevice, timing.launch().stream));
  }
  check(cudaStreamSynchronize(timing.launch().stream));
}

template <class T>
void measure_shape(Timing& timing, int64_t images, const Shape& shape) {
  const int64_t rows = images * shape.side * shape.side, channels = shape.channels, size = rows * channels;
  const int64_t tensor = size * static_cast<int64_t>(sizeof(T)), mask_size = rows * mask_bytes(channels);
  const std::string side = std::to_string(shape.side);
  const std::string name = std::to_string(images) + "x" + side + "x" + side + "x" + std::to_string(channels);
  const Memory x(tensor), residual(tensor), y(tensor), dy2(tensor), dz(tensor), mask(mask_size);
  const Memory channel_values(16 * channels * static_cast<int64_t>(sizeof(float)));
  fill(timing, x.as<T>(), size);
  fill(timing, residual.as<T>(), size);
  fill(timing, dy2.as<T>(), size);
  const auto array = [&](int i) { return channel_values.as<float>() + i * channels; };
  fill(timing, array(0), channels);

  const NormalizationSaved saved{array(2), array(3), array(4), array(5)};
  const auto run = [&](const char* kernel, int64_t bytes, const auto& enqueue) {
    timing.measure(kernel, kTypeName<T>, name, bytes, enqueue);
  };
  const BatchStatistics<T> statistics{rows,     channels, 1e-5,     0.1,   x.as<T>(),       array(0),
                                      array(1), array(6), array(7), saved, timing.scratch()};
  run("batch_statistics", tensor, [&](const Launch& on) { return batch_statistics<T>(on, statistics); });

  NormalizationForward<T> forward{
      .rows = rows, .channels = channels, .x = x.as<T>(), .y = y.as<T>(), .scale = saved.scale, .shift = saved.shift};
  forward.activation = {true, 1e30f};
  run("normalization_forward", 2 * tensor, [&](const Launch& on) { return normalization_forward<T>(on, forward); });
  run("batch_statistics + normalization_forward", 3 * tensor, [&](const Launch& on) {
    const cudaError_t error = batch_statistics<T>(on, statistics);
    return error != cudaSuccess ? error : normalization_forward<T>(on, forward);
  });
  forward.residual = residual.as<T>();
  forward.mask = mask.as<uint8_t>();
  run("normalization_forward, residual", 3 * tensor + mask_size,
      [&](const Launch& on) { return normalization_forward<T>(on, forward); });

  NormalizationReduce<T> reduce{
      .rows = rows, .channels = channels, .dy = y.as<T>(), .x = x.as<T>(), .saved = saved, .activation = {true, 1e30f}};
  reduce.weight_gradient = array(8);
  reduce.bias_gradient = array(9);
  reduce.slope = array(10);
  reduce.offset = array(11);
  reduce.scratch = timing.scratch();
  NormalizationBackward<T> backward{.rows = rows, .channels = channels, .dy = y.as<T>(), .x = x.as<T>(), .dx = dz.as<T>()};
  backward.scale = saved.scale;
  backward.shift = saved.shift;
  backward.slope = array(10);
  backward.offset = array(11);
  backward.activation = {true, 1e30f};
  run("normalization_reduce", 2 * tensor, [&](const Launch& on) { return normalization_reduce<T>(on, reduce); });
  run("normalization_backward", 3 * tensor, [&](const Launch& on) { return normalization_backward<T>(on, backward); });
  run("normalization_reduce + normalization_backward", 5 * tensor, [&](const Launch& on) {
    const cudaError_t error = normalization_reduce<T>(on, reduce);
    return error != cudaSuccess ? error : normalization_backward<T>(on, backward);
  });
  reduce.mask = mask.as<uint8_t>();
  reduce.dz = dz.as<T>();
  run("normalization_reduce, residual", 3 * tensor + mask_size,
      [&](const Launch& on) { return normalization_reduce<T>(on, reduce); });
  reduce.dy2 = dy2.as<T>();
  run("normalization_reduce, residual, two gradients", 4 * tensor + mask_size,
      [&](const Launch& on) { return normalization_reduce<T>(on, reduce); });
}

}  // namespace

template <class T>
void measure_batch_norm(Timing& timing, int64_t images) {
  for (const Shape& shape : kShapes) measure_shape<T>(timing, images, shape);
}

template void measure_batch_norm<float>(Timing&, int64_t);
template void measure_batch_norm<Bfloat16>(Timing&, int64_t);

}  // namespace dl::cuda::bench
