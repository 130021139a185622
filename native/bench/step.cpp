// Times training steps of ResNet-50 at 224 x 224 on the first GPU, beside nothing but the clock: bench/gpu/peer.py is PyTorch's
// side, scripts/gpu runs both and writes the results. Prints one JSON object a line. Usage: dl_step BATCH_SIZE PRECISION [STEPS]
// PRECISION: float32, tf32, bfloat16

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "engine/error.h"
#include "engine/model.h"

namespace {

using namespace dl;

constexpr int64_t kSize = 224;
constexpr int64_t kClasses = 1000;

/// ResNet-50 v1.5 (the stride sits in the 3 x 3), layer by layer.
class Resnet50 {
 public:
  std::vector<Layer> layers() {
    add("input", Input{{0.017f, 0.017f, 0.017f}, {0, 0, 0}}, {});
    normalized("stem", 64, 7, 2, "input", true);
    std::string x = add("pool", Pool{Pool::Kind::kMax, {3, 3}, {2, 2}, {1, 1}}, {last_});
    const int64_t blocks[] = {3, 4, 6, 3};
    for (int stage = 0; stage < 4; ++stage)
      for (int64_t block = 0; block < blocks[stage]; ++block)
        x = bottleneck(x, int64_t{64} << stage, stage > 0 && block == 0 ? 2 : 1, block == 0);
    add("average", GlobalAveragePool{}, {x});
    add("fc", FullyConnected{kClasses, true}, {last_});
    add("softmax", Softmax{}, {last_});
    return std::move(layers_);
  }

 private:
  std::string add(const std::string& name, const LayerKind& kind, const std::vector<std::string>& inputs) {
    last_ = name + "." + std::to_string(layers_.size());
    if (layers_.empty()) last_ = name;
    layers_.push_back({last_, kind, inputs});
    return last_;
  }

  std::string normalized(const std::string& name, int64_t channels, int64_t kernel, int64_t stride, const std::string& input,
                         bool relu) {
    add(name, Convolution{channels, {kernel, kernel}, {stride, stride}, {kernel / 2, kernel / 2}, 1, false}, {input});
    add(name + ".bn", BatchNorm{}, {last_});
    return relu ? add(name + ".relu", Relu{}, {last_}) : last_;
  }

  std::string bottleneck(const std::string& x, int64_t width, int64_t stride, bool projection) {
    const std::string skip = projection ? normalized("projection", 4 * width, 1, stride, x, false) : x;
    const std::string a = normalized("a", width, 1, 1, x, true);
    const std::string b = normalized("b", width, 3, stride, a, true);
    const std::string c = normalized("c", 4 * width, 1, 1, b, false);
    add("sum", Add{}, {c, skip});
    return add("relu", Relu{}, {last_});
  }

  std::vector<Layer> layers_;
  std::string last_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int measure(int64_t batch_size, Precision precision, const char* precision_name, int steps) {
  cuda::CudaDevice device(0);
  device.begin(1);
  const double began = now();
  Model model(device, Resnet50().layers(), {3, kSize, kSize}, 1);
  TrainOptions options;
  options.plan.batch_size = batch_size;
  options.plan.precision = precision;
  options.learning_rate = 0.01;
  options.weight_prior = 0.0001;
  model.prepare(options.plan);
  const double prepared = now() - began;

  std::mt19937 random(1);
  std::vector<std::byte> pixels(static_cast<size_t>(batch_size * kSize * kSize * 3));
  for (std::byte& pixel : pixels) pixel = static_cast<std::byte>(random());
  std::vector<int32_t> labels(static_cast<size_t>(batch_size));
  for (int32_t& label : labels) label = static_cast<int32_t>(random() % kClasses);
  const ImageBatch images{PixelFormat::kUint8, batch_size, pixels};

  std::vector<double> wall, forward, backward, update;
  double loss = 0;
  for (int step = -5; step < steps; ++step) {
    const double start = now();
    options.step = static_cast<uint64_t>(step + 5);
    const StepResult result = model.train(images, labels, options);
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
    model.apply(images, options.plan);
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
    std::fprintf(stderr, "usage: dl_step BATCH_SIZE float32|tf32|bfloat16 [STEPS]\n");
    return 2;
  }
  try {
    return measure(std::atoll(argv[1]), precisions.at(argv[2]), argv[2], argc > 3 ? std::max(1, std::atoi(argv[3])) : 30);
  } catch (const Error& error) {
    std::fprintf(stderr, "dl_step: %s\n", error.what());
    return 1;
  }
}
