// Which layers are computed at once, when training and when applying.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "engine/fusion.h"
#include "test/network.h"

namespace dl::test {
namespace {

Graph graph_of(const std::vector<Layer>& layers) { return Graph(layers, {3, 8, 8}); }

/// The operation whose first layer has this name.
FusedOperation operation(const Graph& graph, const std::vector<FusedOperation>& operations, const std::string& name) {
  const auto found = std::find_if(operations.begin(), operations.end(), [&](const FusedOperation& candidate) {
    return graph.nodes()[static_cast<size_t>(candidate.node)].name == name;
  });
  REQUIRE(found != operations.end());
  return *found;
}

std::string name_of(const Graph& graph, std::optional<int> node) {
  return node ? graph.nodes()[static_cast<size_t>(*node)].name : "";
}

TEST_CASE("training, a batch norm takes the addition and the ReLU behind it, and a convolution takes nothing") {
  Network network(3);
  const std::string shortcut = network.then(convolution(16)).last();
  const std::string deep = network.then(convolution(16)).last();
  const std::string norm = network.then(BatchNorm{}).last();
  const std::string last = network.join(Add{}, {norm, shortcut}).then(Relu{}).last();
  const Graph graph = graph_of(network.classify(3));
  const auto operations = fuse(graph);
  CHECK(name_of(graph, operation(graph, operations, deep).output) == deep);
  const FusedOperation fused = operation(graph, operations, norm);
  CHECK(name_of(graph, fused.output) == last);
  CHECK(name_of(graph, fused.residual) == shortcut);
  CHECK(fused.activation.present);
}

TEST_CASE("a ReLU bounds what it follows from above where it has a maximum") {
  const Activation plain = to_activation(Relu{});
  CHECK(plain.present);
  CHECK(plain.upper == std::numeric_limits<float>::infinity());
  CHECK(to_activation(Relu{6}).upper == 6.0F);
  CHECK_FALSE(Activation{}.present);
}

TEST_CASE("applying, a convolution takes the batch norm, the addition and the ReLU behind it") {
  Network network(3);
  const std::string shortcut = network.then(convolution(16)).last();
  const std::string deep = network.then(convolution(16)).then(convolution(16)).last();
  const std::string norm = network.then(BatchNorm{}).last();
  const std::string last = network.join(Add{}, {norm, shortcut}).then(Relu{}).last();
  const Graph graph = graph_of(network.classify(3));
  const FusedOperation fused = operation(graph, fuse_for_inference(graph), deep);
  CHECK(name_of(graph, fused.output) == last);
  CHECK(name_of(graph, fused.batch_norm) == norm);
  CHECK(name_of(graph, fused.residual) == shortcut);
  CHECK(fused.activation.present);
}

TEST_CASE("applying, a convolution does not overwrite what it reads") {
  Network network(3);
  const std::string shortcut = network.then(convolution(16)).last();
  const std::string deep = network.then(convolution(16)).last();
  network.join(Add{}, {deep, shortcut});
  const Graph graph = graph_of(network.classify(3));
  CHECK(!operation(graph, fuse_for_inference(graph), deep).residual.has_value());
}

TEST_CASE("applying, nothing is taken that another layer reads") {
  Network network(3);
  const std::string read_twice = network.then(convolution(16)).last();
  const std::string norm = network.then(BatchNorm{}).last();
  network.join(Add{}, {norm, read_twice});
  const Graph graph = graph_of(network.classify(3));
  const auto operations = fuse_for_inference(graph);
  CHECK(name_of(graph, operation(graph, operations, read_twice).output) == read_twice);
  CHECK(name_of(graph, operation(graph, operations, norm).residual) == read_twice);
}

TEST_CASE("applying, a sum does not take the place of what is read after it") {
  for (const bool through_dropout : {false, true}) {
    Network network(3);
    const std::string input = network.then(convolution(16)).last();
    const std::string shortcut = through_dropout ? network.then(Dropout{0.5}).last() : input;
    const std::string deep = network.then(convolution(16)).last();
    const std::string sum = network.join(Add{}, {deep, shortcut}).last();
    network.join(Add{}, {sum, input});
    const Graph graph = graph_of(network.classify(3));
    const FusedOperation kept = operation(graph, fuse_for_inference(graph), deep);
    CHECK(name_of(graph, kept.output) == deep);
    CHECK(!kept.residual.has_value());
  }
}

}  // namespace
}  // namespace dl::test
