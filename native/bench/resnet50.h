#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/graph.h"

namespace dl::bench {

/// ResNet-50 v1.5 (the stride sits in the 3 x 3), layer by layer.
class Resnet50 {
 public:
  explicit Resnet50(int64_t classes) : classes_(classes) {}

  std::vector<Layer> layers() {
    add("input", Input{{0.017f, 0.017f, 0.017f}, {0, 0, 0}}, {});
    normalized("stem", 64, 7, 2, "input", true);
    std::string x = add("pool", Pool{Pool::Kind::kMax, {3, 3}, {2, 2}, {1, 1}}, {last_});
    const int64_t blocks[] = {3, 4, 6, 3};
    for (int stage = 0; stage < 4; ++stage)
      for (int64_t block = 0; block < blocks[stage]; ++block)
        x = bottleneck(x, int64_t{64} << stage, stage > 0 && block == 0 ? 2 : 1, block == 0);
    add("average", GlobalAveragePool{}, {x});
    add("fc", FullyConnected{classes_, true}, {last_});
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

  int64_t classes_;
  std::vector<Layer> layers_;
  std::string last_;
};

}  // namespace dl::bench
