#include "test/cases.h"
#include "test/network.h"

namespace dl::test {
namespace {

/// Convolution, batch norm, ReLU.
Network& unit(Network& network, const Convolution& layer) { return network.then(layer).then(BatchNorm{}).then(Relu{}); }

/// conv-bn-relu-conv-bn-add-relu; the short cut has a convolution and a batch norm of its own where the shape changes.
void residual(Network& network, int64_t channels, int64_t stride, bool downsample) {
  const std::string input = network.last();
  unit(network, convolution(channels, 3, stride));
  const std::string deep = network.then(convolution(channels)).then(BatchNorm{}).last();
  std::string shortcut = input;
  if (downsample) shortcut = network.from(input, convolution(channels, 1, stride, 0)).then(BatchNorm{}).last();
  network.join(Add{}, {deep, shortcut}).then(Relu{});
}

/// 1x1 down, 3x3 with the stride, 1x1 up to four times the width, and a short cut of its own.
void bottleneck(Network& network, int64_t width, int64_t stride) {
  const std::string input = network.last();
  unit(network, convolution(width, 1, 1, 0));
  unit(network, convolution(width, 3, stride));
  const std::string deep = network.then(convolution(4 * width, 1, 1, 0)).then(BatchNorm{}).last();
  const std::string shortcut = network.from(input, convolution(4 * width, 1, stride, 0)).then(BatchNorm{}).last();
  network.join(Add{}, {deep, shortcut}).then(Relu{});
}

/// 1x1 to `expanded`, depthwise 3x3, 1x1 back without ReLU; the sum with the input has no ReLU either.
void inverted_residual(Network& network, int64_t channels, int64_t expanded, int64_t out_channels, int64_t stride) {
  const std::string input = network.last();
  network.then(convolution(expanded, 1, 1, 0)).then(BatchNorm{}).then(Relu{6.0});
  network.then(convolution(expanded, 3, stride, 1, expanded)).then(BatchNorm{}).then(Relu{6.0});
  network.then(convolution(out_channels, 1, 1, 0)).then(BatchNorm{});
  if (stride == 1 && channels == out_channels) network.join(Add{}, {input, network.last()});
}

}  // namespace

std::vector<EngineCase> block_cases() {
  std::vector<EngineCase> cases;
  const auto add = [&](const std::string& name, const std::vector<Layer>& layers, ImageShape input, int64_t batch_size = 2) {
    cases.push_back({name, input, batch_size, layers});
  };
  for (const int64_t channels : {16, 10}) {
    const std::string suffix = ", " + std::to_string(channels) + " channels";
    {
      Network network(3);
      unit(network, convolution(channels));
      residual(network, channels, 1, false);
      add("residual block" + suffix, network.classify(5), {3, 7, 9});
    }
    {
      Network network(1);
      unit(network, convolution(channels));
      residual(network, 2 * channels, 2, true);
      add("residual block with downsample" + suffix, network.classify(5), {1, 9, 9}, 3);
    }
    {
      Network network(3);
      unit(network, convolution(channels, 3, 2));
      inverted_residual(network, channels, 3 * channels, channels, 1);
      inverted_residual(network, channels, 3 * channels, channels + 6, 2);
      network.then(Dropout{0.2});
      add("inverted residuals" + suffix, network.classify(5), {3, 13, 11}, 3);
    }
    {
      Network network(3);
      const std::string shared = unit(network, convolution(channels)).last();
      const std::string a = unit(network, convolution(channels, 1, 1, 0)).last();
      network.from(shared, convolution(channels + 4, 1, 1, 0)).then(BatchNorm{}).then(Relu{});
      const std::string b = unit(network, convolution(channels)).last();
      const std::string c = network.from(shared, pool(Pool::Kind::kMax, 3, 1, 1)).last();
      network.join(Concat{}, {a, b, c});
      unit(network, convolution(channels, 3, 2));
      add("a layer that three branches read, concatenated" + suffix, network.classify(5), {3, 7, 7});
    }
  }
  {
    Network network(3);
    unit(network, convolution(16, 7, 2, 3)).then(pool(Pool::Kind::kMax, 3, 2, 1));
    residual(network, 16, 1, false);
    residual(network, 32, 2, true);
    residual(network, 32, 1, false);
    add("the beginning of a residual network", network.classify(7), {3, 33, 33}, 3);
  }
  {
    Network network(3);
    for (const int64_t channels : {12, 24, 40}) unit(network, convolution(channels)).then(pool(Pool::Kind::kMax, 2, 2));
    add("a plain network", network.then(convolution(6, 1, 1, 0, 1, true)).then(GlobalAveragePool{}).then(Softmax{}).layers(),
        {3, 15, 15}, 4);
  }
  {
    Network network(3);
    network.then(convolution(16, 5, 2, 2, 1, true)).then(Relu{}).then(pool(Pool::Kind::kMax, 3, 2));
    network.then(convolution(20, 3, 1, 1, 1, true)).then(Relu{}).then(pool(Pool::Kind::kAverage, 3, 2, 1));
    network.then(Dropout{0.5}).then(FullyConnected{32, true}).then(Relu{}).then(Dropout{0.5});
    add("convolutions with bias, pools and fully connected layers", network.classify_flat(6), {3, 23, 21}, 3);
  }
  {
    Network network(3);
    const std::string first = network.then(convolution(16)).last();
    const std::string second = network.then(Relu{}).then(convolution(16)).last();
    const std::string third = network.join(Add{}, {first, second}).then(Relu{}).then(convolution(16)).last();
    network.join(Add{}, {first, third});
    add("a layer that two sums and a ReLU read", network.then(Relu{}).classify(3), {3, 6, 6});
  }
  for (const int64_t groups : {1, 16}) {
    Network network(3);
    const std::string input = unit(network, convolution(16)).last();
    network.join(Add{}, {network.then(convolution(16, 3, 1, 1, groups)).last(), input});
    add("a convolution added to what it reads, " + std::to_string(groups) + " groups", network.classify(3), {3, 6, 6});
  }
  {
    Network network(3);
    const std::string x = unit(network, convolution(16)).last();
    const std::string inner = network.join(Add{}, {x, network.then(convolution(16)).last()}).last();
    const std::string beside = network.from(x, convolution(16, 1, 1, 0)).last();
    const std::string outer = network.join(Add{}, {inner, x}).last();
    network.join(Add{}, {outer, beside});
    add("a layer that gets one gradient twice, and another between", network.classify(3), {3, 6, 6});
  }
  {
    Network network(3);
    const std::string shortcut = network.then(convolution(16)).last();
    const std::string normal = network.then(BatchNorm{}).last();
    network.join(Add{}, {normal, shortcut}).then(Relu{0.4965});
    add("a sum and a ReLU with a bound that bfloat16 rounds down", network.classify_flat(3), {3, 7, 6});
  }
  for (const int64_t channels : {32, 10}) {
    const std::string suffix = ", " + std::to_string(channels) + " channels";
    {
      Network network(3);
      const std::string shortcut = unit(network, convolution(channels)).last();
      const std::string deep = network.then(convolution(channels, 3, 1, 1, 1, true)).then(BatchNorm{}).last();
      const std::string sum = network.join(Add{}, {deep, shortcut}).then(Relu{0.75}).last();
      const std::string late = network.from(shortcut, convolution(channels, 1, 1, 0)).last();
      network.join(Add{}, {sum, late});
      add("a short cut that a later layer reads, too" + suffix, network.classify(3), {3, 8, 6});
    }
    {
      Network network(3);
      const std::string input = unit(network, convolution(channels)).last();
      const std::string shortcut = network.then(Dropout{0.0}).last();
      const std::string deep = network.then(convolution(channels, 1, 1, 0)).then(BatchNorm{}).last();
      const std::string sum = network.join(Add{}, {deep, shortcut}).last();
      network.join(Add{}, {sum, input}).then(Relu{});
      add("a short cut through dropout" + suffix, network.classify(3), {3, 5, 6});
    }
    {
      Network network(3);
      const std::string shortcut = unit(network, convolution(channels)).last();
      network.then(convolution(channels, 3, 1, 1, channels)).then(BatchNorm{});
      network.join(Add{}, {network.last(), shortcut}).then(Relu{6.0});
      add("a depthwise convolution, a sum and a bound" + suffix, network.classify(3), {3, 7, 7});
    }
  }
  {
    Network network(3);
    unit(network, convolution(16));
    bottleneck(network, 16, 1);
    bottleneck(network, 22, 2);
    add("bottlenecks", network.classify(5), {3, 9, 8}, 3);
  }
  return cases;
}

}  // namespace dl::test
