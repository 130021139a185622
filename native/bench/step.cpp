// Times training steps of ResNet-50 at 224 x 224 on the first GPU, beside nothing but the clock: bench/gpu/peer.py is PyTorch's
// side, scripts/gpu runs both and writes the results. Prints one JSON object a line.
// Usage: dl_step BATCH_SIZE PRECISION [STEPS | layers]
// PRECISION: float32, tf32, bfloat16; with `layers`: milliseconds of each layer, medians of a few steps

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "bench/resnet50.h"
#include "cuda/device.h"
#include "engine/error.h"
#include "engine/model.h"

namespace {

using namespace dl;

constexpr int64_t kSize = 224;
constexpr int64_t kClasses = 1000;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Always the same noise with labels.
struct Batch {
  explicit Batch(int64_t size) : pixels(static_cast<size_t>(size * kSize * kSize * 3)), labels(static_cast<size_t>(size)) {
    std::mt19937 random(1);
    for (std::byte& pixel : pixels) pixel = static_cast<std::byte>(random());
    for (int32_t& label : labels) label = static_cast<int32_t>(random() % kClasses);
    images = {PixelFormat::kUint8, size, pixels};
  }

  std::vector<std::byte> pixels;
  std::vector<int32_t> labels;
  ImageBatch images;
};

TrainOptions options_of(int64_t batch_size, Precision precision) {
  TrainOptions options;
  options.plan.batch_size = batch_size;
  options.plan.precision = precision;
  options.learning_rate = 0.01;
  options.weight_prior = 0.0001;
  return options;
}

int measure_layers(int64_t batch_size, Precision precision) {
  cuda::CudaDevice device(0);
  device.begin(1);
  Model model(device, bench::Resnet50(kClasses).layers(), {3, kSize, kSize}, 1);
  TrainOptions options = options_of(batch_size, precision);
  const Batch batch(batch_size);
  constexpr int kSteps = 7;
  std::vector<StepProfile> profiles(kSteps);
  for (int step = -3; step < kSteps; ++step) {
    options.profile = step < 0 ? nullptr : &profiles[static_cast<size_t>(step)];
    model.train(batch.images, batch.labels, options);
  }
  for (size_t k = 0; k < profiles[0].layers.size(); ++k) {
    const auto milliseconds = [&](double LayerSeconds::*phase) {
      std::vector<double> seconds;
      for (const StepProfile& profile : profiles) seconds.push_back(profile.layers[k].*phase);
      return 1e3 * median(seconds);
    };
    std::printf("{\"layer\": \"%s\", \"forward_ms\": %.4f, \"weights_ms\": %.4f, \"backward_ms\": %.4f}\n",
                profiles[0].layers[k].layer.c_str(), milliseconds(&LayerSeconds::forward), milliseconds(&LayerSeconds::weights),
                milliseconds(&LayerSeconds::backward));
  }
  return 0;
}

int measure(int64_t batch_size, Precision precision, const char* precision_name, int steps) {
  cuda::CudaDevice device(0);
  device.begin(1);
  const double began = now();
  Model model(device, bench::Resnet50(kClasses).layers(), {3, kSize, kSize}, 1);
  TrainOptions options = options_of(batch_size, precision);
  model.prepare(options.plan);
  const double prepared = now() - began;
  const Batch batch(batch_size);

  std::vector<double> wall, forward, backward, update;
  double loss = 0;
  for (int step = -5; step < steps; ++step) {
    const double start = now();
    options.step = static_cast<uint64_t>(step + 5);
    const StepResult result = model.train(batch.images, batch.labels, options);
    loss = result.loss;
    if (step < 0) continue;  // the first are not captured, and clocks rise
    wall.push_back(now() - start);
    forward.push_back(result.forward_seconds);
    backward.push_back(result.backward_seconds);
    update.push_back(result.update_seconds);
  }
  std::vector<double> applied;
  for (int i = -3; i < 20; ++i) {
    const double start = now();
    model.apply(batch.images, options.plan);
    if (i >= 0) applied.push_back(now() - start);
  }
  const double device_seconds = median(forward) + median(backward) + median(update);
  std::printf(
      "{\"side\": \"ours\", \"network\": \"resnet50\", \"batch\": %lld, \"precision\": \"%s\", \"gpu\": \"%s\", "
      "\"prepare_s\": %.1f, \"step_ms\": %.3f, \"device_ms\": %.3f, \"forward_ms\": %.3f, \"backward_ms\": %.3f, "
      "\"update_ms\": %.3f, \"images_per_s\": %.1f, \"device_images_per_s\": %.1f, \"apply_ms\": %.3f, \"memory_bytes\": %lld, "
      "\"loss\": %.4f}\n",
      static_cast<long long>(batch_size), precision_name, device.info().name.c_str(), prepared, 1e3 * median(wall),
      1e3 * device_seconds, 1e3 * median(forward), 1e3 * median(backward), 1e3 * median(update),
      static_cast<double>(batch_size) / median(wall), static_cast<double>(batch_size) / device_seconds, 1e3 * median(applied),
      static_cast<long long>(model.memory_bytes()), loss);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, Precision> precisions{
      {"float32", Precision::kFloat32}, {"tf32", Precision::kTf32}, {"bfloat16", Precision::kBfloat16}};
  if (argc < 3 || std::atoll(argv[1]) < 1 || !precisions.contains(argv[2])) {
    std::fprintf(stderr, "usage: dl_step BATCH_SIZE float32|tf32|bfloat16 [STEPS | layers]\n");
    return 2;
  }
  try {
    if (argc > 3 && std::string(argv[3]) == "layers") return measure_layers(std::atoll(argv[1]), precisions.at(argv[2]));
    return measure(std::atoll(argv[1]), precisions.at(argv[2]), argv[2], argc > 3 ? std::max(1, std::atoi(argv[3])) : 30);
  } catch (const Error& error) {
    std::fprintf(stderr, "dl_step: %s\n", error.what());
    return 1;
  }
}
