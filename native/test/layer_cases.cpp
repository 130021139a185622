#include "test/cases.h"
#include "test/network.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 7, 6};

/// A network that begins with a convolution to `channels`.
Network front(int64_t channels, bool bias = true) {
  Network network(3);
  network.then(convolution(channels, 3, 1, 1, 1, bias));
  return network;
}

}  // namespace

std::vector<EngineCase> batch_norm_cases() {
  std::vector<EngineCase> cases;
  const auto add = [&](const std::string& name, Network network, int64_t batch_size = 3) {
    cases.push_back({"batch norm: " + name, kImage, batch_size, network.classify_flat(4)});
  };
  for (const int64_t channels : {16, 13, 1, 48}) {
    add(std::to_string(channels) + " channels", front(channels).then(BatchNorm{}));
    add(std::to_string(channels) + " channels and ReLU", front(channels, false).then(BatchNorm{}).then(Relu{}));
  }
  add("ReLU6", front(16, false).then(BatchNorm{}).then(Relu{0.7}));
  add("batch 1", front(16, false).then(BatchNorm{}).then(Relu{}), 1);
  add("large epsilon, small momentum", front(6, false).then(BatchNorm{0.5, 0.01}));
  add("momentum 1 and 0",
      front(6, false).then(BatchNorm{1e-5, 1.0}).then(Relu{}).then(convolution(5)).then(BatchNorm{1e-5, 0.0}));
  add("of the images", Network(3).then(BatchNorm{}).then(convolution(5)));
  add("of a batch norm", front(16).then(BatchNorm{}).then(BatchNorm{}));
  add("of a ReLU", front(16).then(Relu{}).then(BatchNorm{}));
  add("of a pool", front(16).then(pool(Pool::Kind::kMax, 2, 2)).then(BatchNorm{}).then(Relu{}));
  add("of a depthwise convolution", front(16).then(convolution(16, 3, 1, 1, 16)).then(BatchNorm{}).then(Relu{6.0}));
  add("of a fully connected layer", front(8).then(FullyConnected{10, true}).then(BatchNorm{}).then(Relu{}), 8);
  {
    Network network = front(16, false);
    const std::string shared = network.then(BatchNorm{}).last();
    const std::string relu = network.then(Relu{}).last();
    add("read by a ReLU and by a sum", network.join(Add{}, {shared, relu}));
  }
  {
    Network network(3);
    const std::string shared = network.then(convolution(16)).last();
    const std::string normal = network.then(BatchNorm{}).last();
    add("of a convolution that a sum reads, too", network.join(Add{}, {shared, normal}).then(Relu{}));
  }
  return cases;
}

std::vector<EngineCase> elementwise_cases() {
  std::vector<EngineCase> cases;
  const auto add = [&](const std::string& name, Network network) {
    cases.push_back({name, kImage, 2, network.classify_flat(4)});
  };
  add("ReLU", front(16).then(Relu{}));
  add("ReLU, 11 channels", front(11).then(Relu{}));
  add("ReLU of the images", Network(3).then(Relu{}).then(convolution(4)));
  add("ReLU of a ReLU6", front(6).then(Relu{0.8}).then(Relu{}));
  add("ReLU6", front(16).then(Relu{0.5}).then(convolution(16)).then(Relu{6.0}));
  add("ReLU6, 9 channels", front(9).then(Relu{0.5}));
  // bfloat16 stores 0.49609 for this bound: a value at it must be known as such when it is read back.
  add("ReLU with a bound that bfloat16 rounds down", front(16).then(Relu{0.4965}));
  for (const int64_t channels : {16, 9}) {
    Network network(3);
    const std::string a = network.then(convolution(channels)).last();
    const std::string b = network.from("input", convolution(channels, 1, 1, 0)).last();
    Network plain = network;
    add("add, " + std::to_string(channels) + " channels", plain.join(Add{}, {a, b}));
    add("add and ReLU, " + std::to_string(channels) + " channels", network.join(Add{}, {b, a}).then(Relu{}));
    Network twice = front(channels);
    add("add of a layer to itself, " + std::to_string(channels) + " channels", twice.join(Add{}, {twice.last(), twice.last()}));
    Network shared = front(channels);
    const std::string before = shared.last();
    const std::string after = shared.then(Relu{}).last();
    const std::string sum = shared.join(Add{}, {before, after}).last();
    const std::string relu = shared.then(Relu{}).last();
    add("a layer read by ReLU and sum, the sum by ReLU and concat, " + std::to_string(channels) + " channels",
        shared.join(Concat{}, {sum, relu}));
  }
  {
    Network network(3);
    const std::string relu = network.then(Relu{}).last();
    add("add of the images", network.join(Add{}, {"input", relu}).then(convolution(5)));
  }
  {
    Network network = front(16);
    const std::string a = network.last();
    network.then(Dropout{0.4});
    add("dropout of an activation", network);
    add("add of a dropout", network.join(Add{}, {a, network.last()}).then(Relu{}));
  }
  add("dropout of 7 channels, twice", front(7).then(Dropout{0.5}).then(Relu{}).then(Dropout{0.1}));
  add("dropout with probability 0", front(16).then(Dropout{0.0}));
  add("dropout of the images", Network(3).then(Dropout{0.25}).then(convolution(4)));
  cases.push_back(
      {"dropout over three sub-batches", kImage, 2, front(5).then(Dropout{0.5}).classify_flat(3), PixelFormat::kUint8, 3});
  const std::vector<std::vector<int64_t>> concatenations{{16, 16, 16}, {3, 5, 8}, {32, 16}, {1, 1, 1, 1}, {20, 12}};
  for (const std::vector<int64_t>& channels : concatenations) {
    Network network(3);
    std::vector<std::string> branches;
    std::string name = "concat of";
    for (const int64_t count : channels) {
      branches.push_back(network.from("input", convolution(count)).last());
      name += " " + std::to_string(count);
    }
    network.join(Concat{}, branches);
    Network more = network;
    add(name, network);
    add(name + ", read by a convolution", more.then(convolution(8, 1, 1, 0)).then(Relu{}));
  }
  {
    Network network = front(6);
    const std::string a = network.last();
    add("concat of a layer with itself and the images", network.join(Concat{}, {a, "input", a}).then(convolution(6)));
  }
  return cases;
}

std::vector<EngineCase> pooling_cases() {
  struct Row {
    const char* name;
    Pool layer;
    int64_t height = 7;
    int64_t width = 6;
  };
  using enum Pool::Kind;
  const Row rows[] = {
      {"max 2x2 stride 2", pool(kMax, 2, 2), 8, 8},
      {"max 2x2 stride 2, odd size", pool(kMax, 2, 2), 7, 5},
      {"max 2x2 stride 2, odd size, ceil mode", pool(kMax, 2, 2, 0, true), 7, 5},
      {"max 3x3 stride 2 padding 1", pool(kMax, 3, 2, 1), 8, 9},
      {"max 3x3 stride 2 padding 1, ceil mode", pool(kMax, 3, 2, 1, true), 8, 9},
      {"max 3x3 stride 1", pool(kMax, 3, 1), 5, 5},
      {"max 3x3 stride 1 padding 1", pool(kMax, 3, 1, 1), 5, 5},
      {"max 2x2 stride 3", pool(kMax, 2, 3), 8, 8},
      {"max of all", pool(kMax, 5, 5), 5, 5},
      {"max, window larger than the input", pool(kMax, 5, 1, 2), 3, 3},
      {"max of one value", pool(kMax, 1, 2), 1, 1},
      {"max 2x3 stride 2, window as high as the input", Pool{kMax, {2, 3}, {2, 2}, {0, 0}, false, true}, 2, 9},
      {"max 3x1 stride 2x1", Pool{kMax, {3, 1}, {2, 1}, {1, 0}, false, true}},
      {"average 2x2 stride 2", pool(kAverage, 2, 2), 8, 8},
      {"average 2x2 stride 2, odd size, ceil mode", pool(kAverage, 2, 2, 0, true), 7, 5},
      {"average 3x3 stride 2 padding 1, padding counted", pool(kAverage, 3, 2, 1), 8, 9},
      {"average 3x3 stride 2 padding 1, padding not counted", pool(kAverage, 3, 2, 1, false, false), 8, 9},
      {"average 3x3 stride 2 padding 1, ceil mode, padding counted", pool(kAverage, 3, 2, 1, true), 8, 9},
      {"average 3x3 stride 2 padding 1, ceil mode, padding not counted", pool(kAverage, 3, 2, 1, true, false), 8, 9},
      {"average 3x3 stride 1 padding 1, padding not counted", pool(kAverage, 3, 1, 1, false, false), 5, 5},
      {"average 4x4 stride 3 padding 2, ceil mode, padding counted", pool(kAverage, 4, 3, 2, true), 6, 7},
      {"average of all", pool(kAverage, 5, 5), 5, 5},
      {"average, window larger than the input", pool(kAverage, 5, 1, 2), 3, 3},
      {"average 1x3 stride 1x2", Pool{kAverage, {1, 3}, {1, 2}, {0, 1}, true, false}},
  };
  std::vector<EngineCase> cases;
  for (const Row& row : rows) {
    const ImageShape input{3, row.height, row.width};
    for (const int64_t channels : {16, 7}) {
      cases.push_back({row.name, input, 2, front(channels).then(row.layer).classify_flat(4)});
      cases.push_back(
          {std::string(row.name) + " after ReLU", input, 2, front(channels).then(Relu{}).then(row.layer).classify_flat(4)});
    }
    cases.push_back({std::string(row.name) + " of the images", input, 1, Network(3).then(row.layer).classify_flat(4)});
  }
  return cases;
}

std::vector<EngineCase> head_cases() {
  std::vector<EngineCase> cases;
  const auto add = [&](const std::string& name, const std::vector<Layer>& layers, int64_t batch_size = 3) {
    cases.push_back({name, kImage, batch_size, layers});
  };
  add("global average pooling, 16 channels", front(16).then(GlobalAveragePool{}).classify_flat(4));
  add("global average pooling, 5 channels, batch 1", front(5).then(GlobalAveragePool{}).classify_flat(4), 1);
  add("global average pooling of the images", Network(3).then(GlobalAveragePool{}).classify_flat(4));
  add("global average pooling and softmax, fully convolutional",
      front(16).then(convolution(5, 1, 1, 0)).then(GlobalAveragePool{}).then(Softmax{}).layers());
  add("a convolution to 1 x 1 and softmax",
      front(8).then(Convolution{6, {7, 6}, {1, 1}, {0, 0}, 1, true}).then(Softmax{}).layers());
  add("fully connected of the images", Network(3).classify_flat(4));
  add("fully connected without bias", front(5).classify_flat(4, false));
  add("fully connected of 16 channels", front(16).classify_flat(4));
  add("fully connected to 100 classes", front(16).classify(100));
  add("three fully connected layers", front(8)
                                          .then(FullyConnected{33, true})
                                          .then(Relu{})
                                          .then(Dropout{0.5})
                                          .then(FullyConnected{17, false})
                                          .then(Relu{})
                                          .classify_flat(4));
  add("fully connected, batch 1", front(16).then(FullyConnected{16, true}).then(Relu{}).classify_flat(2), 1);
  add("fully connected, batch 17", front(4).then(FullyConnected{16, true}).classify_flat(2), 17);
  add("two classes", front(4).classify(2));
  add("one class", front(4).classify(1));
  {
    Network network = front(8);
    const std::string shared = network.then(GlobalAveragePool{}).last();
    const std::string a = network.then(FullyConnected{6, true}).last();
    const std::string b = network.from(shared, FullyConnected{6, true}).then(Relu{}).last();
    Network other = network;
    add("two heads summed", network.join(Add{}, {a, b}).then(Softmax{}).layers());
    add("two heads concatenated", other.join(Concat{}, {a, b, shared}).classify_flat(3));
  }
  return cases;
}

}  // namespace dl::test
