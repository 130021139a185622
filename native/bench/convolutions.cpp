// Times convolutions, forward, data gradient and weight gradient: oneDNN's in the two orders of activations that the engine
// knows, Winograd's, and as products of matrices. What it prints is the reason for activation_order() in cpu/plan.cpp and for
// pays() in cpu/operations/winograd_convolution.cpp and tap_convolution.cpp. Usage: dl_convolutions [threads]

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
#include "cpu/operations/tap_parts.h"
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
          .adds = false,
          .activation = {},
          .in_type = type,
          .out_type = type,
          .gradient_type = type};
}

/// Median milliseconds of nine runs.
template <class Run>
double median_milliseconds(const Run& run) {
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return times[4];
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
  return median_milliseconds([&] { primitive.execute(); });
}

void print_row(const Case& c, const char* precision, const char* kernels, double forward, double data, double weights) {
  const std::string text = std::to_string(c.in_channels) + " -> " + std::to_string(c.out_channels) + ", " +
                           std::to_string(c.size) + " px, " + std::to_string(c.kernel) + "x" + std::to_string(c.kernel) + "/" +
                           std::to_string(c.stride);
  std::printf("%-26s %-9s %-8s %7.2f ms %7.2f ms %7.2f ms\n", text.c_str(), precision, kernels, forward, data, weights);
}

/// Prints oneDNN's row; returns the sum of its three times.
double print_onednn(const Case& c, DataType type, Order order, const char* precision, const char* name) {
  const LinearShape shape = shape_of(c, order, type);
  const double forward = milliseconds(forward_choice(shape, true), shape, DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST);
  const double data = milliseconds(backward_data_choice(shape), shape, DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST);
  const double weights =
      milliseconds(backward_weights_choice(shape), shape, DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST);
  print_row(c, precision, name, forward, data, weights);
  return forward + data + weights;
}

/// Convolutions of other networks' kind, where few channels or small images leave Winograd's filtering less to gain.
constexpr Case kOthers[] = {{32, 32, 112, 3, 1, 1},  {32, 64, 56, 3, 1, 1},   {64, 64, 13, 3, 1, 1},
                            {192, 384, 13, 3, 1, 1}, {256, 256, 13, 3, 1, 1}, {64, 192, 27, 5, 1, 1}};

/// What is to be set beside oneDNN's time of the same convolution; the transform of the filters is part of it, as in a step.
template <class T>
void print_winograd(const Case& c, const char* precision, const LinearShape& linear) {
  if (!kernels().typed_winograd<T>(c.kernel)) return;
  const WinogradKernels<T>& kernel = *kernels().typed_winograd<T>(c.kernel);
  const WinogradShape shape{linear.in, linear.out, c.kernel / 2, c.kernel / 2, kernel.tile},
      gradient{linear.out, linear.in, c.kernel / 2, c.kernel / 2, kernel.tile};
  const int64_t threads = omp_get_max_threads();
  std::vector<T> x(static_cast<size_t>(shape.in.size())), y(static_cast<size_t>(shape.out.size()));
  std::vector<float> weights(static_cast<size_t>(c.in_channels * c.out_channels * c.kernel * c.kernel));
  std::vector<float> filters(static_cast<size_t>(kernel.filter_values(c.out_channels, c.in_channels)));
  std::vector<float> scratch(
      static_cast<size_t>(std::max({kernel.convolution_scratch(shape, threads), kernel.convolution_scratch(gradient, threads),
                                    kernel.weight_gradient_scratch(shape, threads)})));
  const double forward = median_milliseconds([&] {
    kernel.filters({c.out_channels, c.in_channels, weights.data(), false, filters.data()});
    kernel.convolution({shape, threads, x.data(), filters.data(), {}, y.data(), scratch.data()});
  });
  const double data = median_milliseconds([&] {
    kernel.filters({c.in_channels, c.out_channels, weights.data(), true, filters.data()});
    kernel.convolution({gradient, threads, y.data(), filters.data(), {}, x.data(), scratch.data()});
  });
  const double weight = median_milliseconds([&] {
    kernel.weight_gradient({shape, threads, x.data(), y.data(), weights.data(), false, scratch.data()});
  });
  print_row(c, precision, "Winograd", forward, data, weight);
}

template <class T>
void print_winograds(const char* precision, DataType type, Order order) {
  for (const Case& c : kOthers) print_onednn(c, type, order, precision, "oneDNN");
  for (const Case& c : kResnet18) {
    if (c.kernel == 3 && c.stride == 1) print_winograd<T>(c, precision, shape_of(c, order, type));
  }
  for (const Case& c : kOthers) print_winograd<T>(c, precision, shape_of(c, order, type));
}

/// Convolutions of resnet50's and mobilenet_v2's kind, and larger windows.
constexpr Case kProducts[] = {{64, 64, 56, 1, 1, 1},    {64, 256, 56, 1, 1, 1},  {256, 64, 56, 1, 1, 1},  {128, 512, 28, 1, 1, 1},
                              {1024, 256, 14, 1, 1, 1}, {512, 2048, 7, 1, 1, 1}, {256, 512, 56, 1, 2, 1}, {128, 128, 56, 3, 2, 1},
                              {512, 512, 14, 3, 2, 1},  {16, 96, 112, 1, 1, 1},  {144, 24, 56, 1, 1, 1},  {16, 32, 112, 3, 2, 1},
                              {32, 64, 112, 3, 2, 1},   {64, 192, 27, 5, 1, 1}};

/// Likewise as products of matrices.
void print_products(const Case& c, const LinearShape& shape) {
  const TapProductKernels<float>& kernel = *kernels().tap_product;
  const int64_t threads = omp_get_max_threads();
  const TapPart forward = forward_tap_part(shape);
  std::vector<TapPart> parts = data_gradient_parts(shape);
  parts.push_back(forward);
  int64_t filter_values = 0, scratch_values = kernel.weight_gradient_scratch(forward.grid, forward.taps, threads);
  for (const TapPart& part : parts) {
    filter_values = std::max(filter_values, kernel.filter_values(part.grid, part.taps));
    scratch_values = std::max(scratch_values, kernel.product_scratch(part.grid, part.taps, threads));
  }
  parts.pop_back();
  std::vector<float> x(static_cast<size_t>(shape.in.size())), y(static_cast<size_t>(shape.out.size()));
  std::vector<float> weights(static_cast<size_t>(c.in_channels * c.out_channels * c.kernel * c.kernel));
  std::vector<float> filters(static_cast<size_t>(filter_values)), scratch(static_cast<size_t>(scratch_values));
  const auto multiply = [&](const TapPart& part, bool data_gradient, const std::vector<float>& from, std::vector<float>& to) {
    kernel.filters({part.grid.out.channels, part.grid.in.channels, c.kernel * c.kernel, part.taps, part.filter_taps,
                    weights.data(), data_gradient, filters.data()});
    kernel.product({part.grid, part.taps, threads, from.data(), filters.data(), {}, to.data(), scratch.data()});
  };
  const double forward_time = median_milliseconds([&] { multiply(forward, false, x, y); });
  const double data = median_milliseconds([&] {
    for (const TapPart& part : parts) multiply(part, true, y, x);
  });
  const double weight = median_milliseconds([&] {
    kernel.weight_gradient({forward.grid, forward.taps, threads, x.data(), y.data(), weights.data(), false, scratch.data()});
  });
  print_row(c, "float32", "products", forward_time, data, weight);
}

}  // namespace

int main(int count, char** arguments) {
  device().begin(count > 1 ? std::atoi(arguments[1]) : available_threads());
  std::printf("%s, %d threads, %s, batch %ld\n", device().info().name.c_str(), omp_get_max_threads(), onednn_version().c_str(),
              static_cast<long>(kImages));
  std::printf("%-26s %-9s %-8s %10s %10s %10s\n", "convolution", "precision", "kernels", "forward", "data", "weights");
  for (const DataType type : {DataType::kFloat32, DataType::kBfloat16}) {
    const char* precision = type == DataType::kFloat32 ? "float32" : "bfloat16";
    for (const Order order : {Order::kNhwc, Order::kBlocked16}) {
      const char* name = order == Order::kNhwc ? "NHWC" : "nChw16c";
      double total = 0;
      for (const Case& c : kResnet18) total += static_cast<double>(c.count) * print_onednn(c, type, order, precision, name);
      std::printf("%-26s %-9s %-8s %7.1f ms a step\n", "resnet18 but its first", precision, name, total);
    }
  }
  print_winograds<float>("float32", DataType::kFloat32, Order::kNhwc);
  print_winograds<Bfloat16>("bfloat16", DataType::kBfloat16, Order::kBlocked16);
  if (!kernels().tap_product) return 0;
  for (const Case& c : kProducts) {
    print_onednn(c, DataType::kFloat32, Order::kNhwc, "float32", "NHWC");
    print_products(c, shape_of(c, Order::kNhwc, DataType::kFloat32));
  }
  return 0;
}
