// Times oneDNN's convolutions, forward, data gradient and weight gradient, in the two orders of activations that the engine
// knows. What it prints is the reason for activation_order() in cpu/plan.cpp. Usage: dl_convolution_orders [threads]

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cpu/device.h"
#include "cpu/kernels/kernels.h"
#include "cpu/onednn.h"
#include "engine/host_memory.h"

namespace {

using namespace dl;
using namespace dl::cpu;

/// A convolution of resnet18 at 224 x 224 and how often the network has it.
struct Case {
  int64_t in_channels, out_channels, size, kernel, stride, count;
};

constexpr int64_t kImages = 16;
constexpr Case kResnet18[] = {{64, 64, 56, 3, 1, 4},   {64, 128, 56, 3, 2, 1},  {64, 128, 56, 1, 2, 1},  {128, 128, 28, 3, 1, 3},
                              {128, 256, 28, 3, 2, 1}, {128, 256, 28, 1, 2, 1}, {256, 256, 14, 3, 1, 3}, {256, 512, 14, 3, 2, 1},
                              {256, 512, 14, 1, 2, 1}, {512, 512, 7, 3, 1, 3}};

LinearShape shape_of(const Case& c, Order order, DataType type) {
  const int64_t out = (c.size + 2 * (c.kernel / 2) - c.kernel) / c.stride + 1;
  return {.in = {kImages, c.in_channels, c.size, c.size, order},
          .out = {kImages, c.out_channels, out, out, order},
          .weights = {c.out_channels, c.in_channels, c.kernel, c.kernel},
          .stride = {c.stride, c.stride},
          .padding = {c.kernel / 2, c.kernel / 2},
          .bias = false,
          .in_type = type,
          .out_type = type,
          .gradient_type = type};
}

/// Median milliseconds of the primitive on zeroed memory: these kernels' time does not depend on the values.
double milliseconds(const PrimitiveChoice& choice, const LinearShape& shape, int source, int weights, int output) {
  ArenaPlan arena;
  const auto y = output_descriptor(shape, shape.out_type);
  const BufferId buffers[] = {arena.add(static_cast<int64_t>(choice.source.get_size()), 0),
                              arena.add(static_cast<int64_t>(choice.weights.get_size()), 0),
                              arena.add(static_cast<int64_t>(y.get_size()), 0)};
  BoundPrimitive primitive(choice.descriptor, arena, 0);
  arena.assign();
  const HostMemory memory(arena.bytes());
  primitive.bind(arena, memory.data());
  primitive.argument(source, choice.source, memory.data() + arena.offset(buffers[0]));
  primitive.argument(weights, choice.weights, memory.data() + arena.offset(buffers[1]));
  primitive.argument(output, y, memory.data() + arena.offset(buffers[2]));
  std::vector<double> times;
  for (int run = 0; run < 9; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    primitive.execute();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return times[4];
}

}  // namespace

int main(int count, char** arguments) {
  set_threads(count > 1 ? std::atoi(arguments[1]) : available_threads());
  std::printf("%s, %d threads, %s, batch %ld\n", device_info().name.c_str(), omp_get_max_threads(), onednn_version().c_str(),
              static_cast<long>(kImages));
  std::printf("%-26s %-9s %-8s %10s %10s %10s\n", "convolution", "precision", "order", "forward", "data", "weights");
  for (const DataType type : {DataType::kFloat32, DataType::kBfloat16}) {
    for (const Order order : {Order::kNhwc, Order::kBlocked16}) {
      double total = 0;
      const char* precision = type == DataType::kFloat32 ? "float32" : "bfloat16";
      const char* name = order == Order::kNhwc ? "NHWC" : "nChw16c";
      for (const Case& c : kResnet18) {
        const LinearShape shape = shape_of(c, order, type);
        const double forward = milliseconds(forward_choice(shape, true), shape, DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST);
        const double data =
            milliseconds(backward_data_choice(shape), shape, DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST);
        const double weights =
            milliseconds(backward_weights_choice(shape), shape, DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST);
        total += static_cast<double>(c.count) * (forward + data + weights);
        const std::string text = std::to_string(c.in_channels) + " -> " + std::to_string(c.out_channels) + ", " +
                                 std::to_string(c.size) + " px, " + std::to_string(c.kernel) + "x" + std::to_string(c.kernel) +
                                 "/" + std::to_string(c.stride);
        std::printf("%-26s %-9s %-8s %7.2f ms %7.2f ms %7.2f ms\n", text.c_str(), precision, name, forward, data, weights);
      }
      std::printf("%-26s %-9s %-8s %7.1f ms a step\n", "resnet18 but its first", precision, name, total);
    }
  }
  return 0;
}
