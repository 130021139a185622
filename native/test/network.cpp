#include "test/network.h"

namespace dl::test {

Network::Network(int64_t channels) {
  Input input;
  for (int64_t c = 0; c < channels; ++c) {
    input.scale.push_back(0.015625f + 0.001f * static_cast<float>(c));
    input.shift.push_back(0.125f - 0.0625f * static_cast<float>(c));
  }
  layers_.push_back({"input", input, {}});
}

Network& Network::join(const LayerKind& kind, const std::vector<std::string>& inputs) {
  layers_.push_back({kind_name(kind) + std::to_string(layers_.size()), kind, inputs});
  return *this;
}

std::vector<Layer> Network::classify(int64_t classes) {
  then(GlobalAveragePool{});
  return classify_flat(classes);
}

std::vector<Layer> Network::classify_flat(int64_t classes, bool bias) {
  then(FullyConnected{classes, bias});
  then(Softmax{});
  return layers_;
}

Convolution convolution(int64_t out_channels, int64_t kernel, int64_t stride, int64_t padding, int64_t groups, bool bias) {
  return {out_channels, {kernel, kernel}, {stride, stride}, {padding, padding}, groups, bias};
}

Pool pool(Pool::Kind kind, int64_t kernel, int64_t stride, int64_t padding, bool ceil_mode, bool count_include_pad) {
  return {kind, {kernel, kernel}, {stride, stride}, {padding, padding}, ceil_mode, count_include_pad};
}

std::vector<Layer> small_network() {
  return Network(3)
      .then(convolution(16))
      .then(BatchNorm{})
      .then(Relu{})
      .then(convolution(12, 3, 2, 1, 1, true))
      .then(Relu{})
      .classify(4);
}

}  // namespace dl::test
