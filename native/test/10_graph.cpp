// Graph: shapes, tensors and readers of a good one; what does not fit together is refused with the layer's name.
#include <doctest/doctest.h>

#include "engine/graph.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

constexpr ImageShape kImage{3, 9, 7};

/// The layer that the refusal names; "" where the graph is accepted.
std::string refused_layer(const std::vector<Layer>& layers, ImageShape input = kImage) {
  const auto error = refusal([&] { Graph(layers, input); });
  if (!error) return "";
  CHECK(error->reason() == Reason::kInvalidGraph);
  return error->metadata().at("layer");
}

TEST_CASE("shapes, tensors, readers and parameter count") {
  Network network(3);
  network.then(Convolution{8, {3, 1}, {2, 1}, {1, 0}, 1, true}).then(BatchNorm{});
  const std::string norm = network.last();
  network.then(Relu{}).join(Concat{}, {network.last(), norm});
  const Graph graph(network.classify(5), kImage);
  const std::vector<Graph::Node>& nodes = graph.nodes();
  CHECK(nodes[1].shape == ImageShape{8, 5, 7});
  CHECK(nodes[2].consumers == std::vector<int>{3, 4});
  CHECK(nodes[4].inputs == std::vector<int>{3, 2});
  CHECK(nodes[4].shape == ImageShape{16, 5, 7});
  CHECK(nodes[5].shape == ImageShape{16, 1, 1});
  CHECK(graph.classes() == 5);
  CHECK(graph.parameter_count() == (8 * 3 * 3 + 8) + (8 + 8) + (5 * 16 + 5));
  std::vector<std::string> names;
  for (const TensorInfo& info : graph.tensors()) names.push_back(info.name);
  CHECK(names == std::vector<std::string>{"convolution1.weight", "convolution1.bias", "batch_norm2.weight", "batch_norm2.bias",
                                          "batch_norm2.running_mean", "batch_norm2.running_var", "fully_connected6.weight",
                                          "fully_connected6.bias"});
  CHECK(graph.tensors()[0].shape == std::vector<int64_t>{8, 3, 3, 1});
  CHECK(graph.tensors()[0].role == TensorRole::kWeight);
  CHECK(graph.tensors()[2].role == TensorRole::kBias);
  CHECK(graph.tensors()[4].role == TensorRole::kStatistic);
}

TEST_CASE("order: input first, softmax last, each once; every name once and before it is read; every output read") {
  const std::vector<Layer> good = Network(3).classify(2);
  CHECK(refused_layer(good) == "");
  CHECK(refusal([] { Graph({}, kImage); })->reason() == Reason::kInvalidGraph);
  CHECK(refused_layer({good[1], good[0], good[2], good[3]}) == "global_average_pool1");
  CHECK(refused_layer({good[0], good[1], good[2]}) == "fully_connected2");
  CHECK(refused_layer({good[0], good[1], {"again", good[0].kind, {}}, good[2], good[3]}) == "again");
  CHECK(refused_layer({good[0], good[1], good[2], {"early", Softmax{}, {"fully_connected2"}}, good[3]}) == "early");
  CHECK(refused_layer({good[0], good[2], good[1], good[3]}) == "fully_connected2");
  CHECK(refused_layer({good[0], good[1], {"input", Relu{}, {"input"}}, good[2], good[3]}) == "input");
  CHECK(refused_layer({good[0], good[1], {"loose", Relu{}, {"input"}}, good[2], good[3]}) == "loose");
  CHECK(refuses(Reason::kInvalidGraph, [&] { Graph({good[0], {"", Relu{}, {"input"}}, good[1], good[2], good[3]}, kImage); }));
}

TEST_CASE("each kind's own rules") {
  const auto refused = [](const LayerKind& kind) { return !refused_layer(Network(3).then(kind).classify(2)).empty(); };
  const int64_t huge = int64_t{1} << 62;
  CHECK(refused(Convolution{0, {3, 3}, {1, 1}, {1, 1}, 1, false}));
  CHECK(refused(Convolution{4, {0, 3}, {1, 1}, {1, 1}, 1, false}));
  CHECK(refused(Convolution{4, {3, 3}, {1, 0}, {1, 1}, 1, false}));
  CHECK(refused(Convolution{4, {3, 3}, {1, 1}, {-1, 1}, 1, false}));
  CHECK(refused(Convolution{4, {3, 3}, {1, 1}, {1, 1}, 2, false}));
  CHECK(refused(Convolution{4, {3, 3}, {1, 1}, {1, 1}, 3, false}));
  CHECK(refused(Convolution{4, {3, 3}, {1, 1}, {1, 1}, 0, false}));
  CHECK(refused(Convolution{4, {3, 8}, {1, 1}, {0, 0}, 1, false}));
  CHECK(refused(Convolution{huge, {3, 3}, {1, 1}, {1, 1}, 1, false}));
  CHECK(refused(Convolution{4, {huge, huge}, {1, 1}, {huge, huge}, 1, false}));
  CHECK_FALSE(refused(Convolution{4, {3, 9}, {1, 1}, {0, 1}, 1, false}));
  CHECK(refused(BatchNorm{0, 0.1}));
  CHECK(refused(BatchNorm{1e-5, 1.5}));
  CHECK(refused(Relu{0.0}));
  CHECK(refused(Dropout{1.0}));
  CHECK(refused(Dropout{-0.1}));
  CHECK(refused(FullyConnected{0, true}));
  CHECK(refused(FullyConnected{huge, true}));
  CHECK(refused(pool(Pool::Kind::kMax, 3, 1, 2)));
  CHECK(refused(pool(Pool::Kind::kAverage, 2, 0)));
  CHECK(refused(pool(Pool::Kind::kAverage, 10, 1)));
  CHECK(refused(Add{}));
  CHECK(refused(Concat{}));
  CHECK_FALSE(refused_layer(Network(3).then(Softmax{}).layers()).empty());
  CHECK_FALSE(refused_layer(Network(2).classify(2)).empty());
  CHECK_FALSE(refused_layer(Network(3).classify(2), {3, 0, 7}).empty());
  CHECK_FALSE(refused_layer(Network(3).classify(2), {3, huge, huge}).empty());
}

TEST_CASE("what cannot be added or concatenated") {
  Network network(3);
  const std::string wide = network.then(convolution(4)).last();
  const std::string other = network.from("input", convolution(5)).last();
  const std::string small = network.from("input", convolution(4, 3, 2)).last();
  const auto refused = [&](const LayerKind& kind, const std::vector<std::string>& inputs) {
    Network copy = network;
    copy.join(kind, inputs);
    const std::string last = copy.last();
    return refused_layer(copy.classify(2)) == last;
  };
  CHECK(refused(Add{}, {wide, other}));
  CHECK(refused(Add{}, {wide, small}));
  CHECK(refused(Add{}, {wide}));
  CHECK(refused(Concat{}, {wide, small}));
  CHECK(refused(Relu{}, {wide, small}));
}

}  // namespace
}  // namespace dl::test
