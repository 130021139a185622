#include <algorithm>
#include <vector>

#include "cuda/kernels/bench/timing.h"

namespace dl::cuda::bench {

template <class T>
void measure_other_layers(Timing& timing, int64_t images) {
  const auto run = [&](const char* kernel, const std::string& shape, int64_t bytes, const auto& enqueue) {
    timing.measure(kernel, kTypeName<T>, std::to_string(images) + "x" + shape, bytes, enqueue);
  };
  constexpr auto kBytes = static_cast<int64_t>(sizeof(T));
  const int64_t whole = images * 112 * 112 * 64, pooled = whole / 4, last = images * 49 * 2048, logits = images * 1000;
  const Memory x(whole * kBytes), y(whole * kBytes), dy(pooled * kBytes), chosen(pooled), few(logits * 4), labels(images * 4);

  const Window window{images, 64, 112, 112, 56, 56, 3, 3, 2, 2, 1, 1};
  run("max_pool_forward", "112x112x64", whole * kBytes + pooled * (kBytes + 1),
      [&](const Launch& on) { return max_pool_forward<T>(on, window, x.as<T>(), dy.as<T>(), chosen.as<uint8_t>()); });
  run("max_pool_backward", "112x112x64", whole * kBytes + pooled * (kBytes + 1),
      [&](const Launch& on) { return max_pool_backward<T>(on, window, dy.as<T>(), nullptr, chosen.as<uint8_t>(), y.as<T>()); });
  run("global_average_forward", "7x7x2048", last * kBytes + images * 2048 * kBytes,
      [&](const Launch& on) { return global_average_forward<T, T>(on, images, 49, 2048, x.as<T>(), y.as<T>()); });
  run("global_average_backward", "7x7x2048", last * kBytes + images * 2048 * kBytes,
      [&](const Launch& on) { return global_average_backward<T>(on, images, 49, 2048, x.as<T>(), y.as<T>()); });
  run("add", "112x112x64", 3 * whole * kBytes,
      [&](const Launch& on) { return add<T>(on, whole, x.as<T>(), y.as<T>(), y.as<T>()); });
  run("relu_forward", "112x112x64", 2 * whole * kBytes,
      [&](const Launch& on) { return relu_forward<T>(on, whole, x.as<T>(), 6, y.as<T>()); });

  const int64_t pixels = images * 224 * 224;
  for (const int padded : {4, 8}) {
    const PixelConversion<T> job{pixels, 3, padded, y.as<uint8_t>(), few.as<float>(), few.as<float>(), x.as<T>()};
    if (pixels * padded > whole) continue;
    run(padded == 4 ? "convert_uint8 to 4 channels" : "convert_uint8 to 8 channels", "224x224x3", pixels * (3 + padded * kBytes),
        [&](const Launch& on) { return convert_uint8<T>(on, job); });
  }

  StepInputs step;
  step.rule.images = images;
  const Memory inputs(sizeof(StepInputs)), report(sizeof(StepReport));
  check(cudaMemcpy(inputs.as<void>(), &step, sizeof step, cudaMemcpyHostToDevice));
  const SoftmaxLoss<T> loss{images,          1000,
                            few.as<float>(), labels.as<int32_t>(),
                            nullptr,         inputs.as<StepInputs>(),
                            y.as<T>(),       report.as<StepReport>(),
                            timing.scratch()};
  run("softmax_loss", "1000", logits * (4 + kBytes), [&](const Launch& on) { return softmax_loss<T>(on, loss); });
}

template void measure_other_layers<float>(Timing&, int64_t);
template void measure_other_layers<Bfloat16>(Timing&, int64_t);

void measure_updates(Timing& timing) {
  constexpr int64_t kValues = 25557032;  // ResNet-50
  constexpr int64_t kTensor = (kValues + 15) / 16 * 16 * static_cast<int64_t>(sizeof(float));
  std::vector<ParameterSegment> segments;
  for (int64_t at = 0; at < kValues; at += kSegmentValues) {
    const int64_t length = std::min<int64_t>(kSegmentValues, kValues - at);
    segments.push_back({.offset = at, .length = static_cast<int32_t>(length), .tensor = 0, .regularized = 1});
  }
  const auto count = static_cast<int64_t>(segments.size());
  const Memory g(kTensor), w(kTensor), m(kTensor), v(kTensor), copies(kTensor / 2), few(sizeof(float));
  const Memory pieces(count * static_cast<int64_t>(sizeof(ParameterSegment)));
  check(cudaMemcpy(pieces.as<void>(), segments.data(), segments.size() * sizeof(ParameterSegment), cudaMemcpyHostToDevice));
  StepInputs step;
  step.rule.images = 1;
  StepReport sound;
  sound.verdict.sound = true;
  const Memory inputs(sizeof(StepInputs)), report(sizeof(StepReport)), judged(sizeof(StepReport));
  check(cudaMemcpy(inputs.as<void>(), &step, sizeof step, cudaMemcpyHostToDevice));
  check(cudaMemcpy(report.as<void>(), &sound, sizeof sound, cudaMemcpyHostToDevice));

  const auto* segment = pieces.as<ParameterSegment>();
  const std::string shape = std::to_string(kValues);
  timing.measure("update_norms", "float32", shape, 2 * kTensor, [&](const Launch& on) {
    return update_norms(
        on, {count, segment, g.as<float>(), w.as<float>(), inputs.as<StepInputs>(), judged.as<StepReport>(), timing.scratch()});
  });
  timing.measure("sgd_update with copies", "float32", shape, 5 * kTensor + kTensor / 2, [&](const Launch& on) {
    return sgd_update(on, {count, segment, inputs.as<StepInputs>(), report.as<StepReport>(), g.as<float>(), w.as<float>(),
                           v.as<float>(), copies.as<Bfloat16>()});
  });
  timing.measure("adam_update with copies", "float32", shape, 7 * kTensor + kTensor / 2, [&](const Launch& on) {
    return adam_update(on, {count, segment, inputs.as<StepInputs>(), report.as<StepReport>(), g.as<float>(), w.as<float>(),
                            m.as<float>(), v.as<float>(), few.as<float>(), few.as<float>(), copies.as<Bfloat16>()});
  });
}

}  // namespace dl::cuda::bench
