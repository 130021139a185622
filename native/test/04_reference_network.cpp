// The reference's whole network: gradients of every tensor by finite differences, the loss, the running statistics and the two
// modes.
#include <doctest/doctest.h>

#include <cmath>

#include "reference/layers.h"
#include "reference/training.h"
#include "test/finite_differences.h"
#include "test/network.h"
#include "test/random.h"

namespace dl::reference {
namespace {

using test::Network;
using test::Random;

/// Every layer kind, a layer that three others read, a sum and a concatenation of three.
Graph every_kind() {
  Network network(2);
  network.then(test::convolution(4, 3, 1, 1, 2, true)).then(BatchNorm{}).then(Relu{});
  const std::string stem = network.last();
  const std::string deep = network.then(test::convolution(4)).then(BatchNorm{}).last();
  const std::string sum = network.join(Add{}, {deep, stem}).then(Relu{6.0}).last();
  const std::string max = network.then(test::pool(Pool::Kind::kMax, 3, 2, 1, true)).last();
  const std::string average = network.from(sum, test::pool(Pool::Kind::kAverage, 3, 2, 1, true, false)).last();
  const std::string strided = network.from(stem, test::convolution(3, 1, 2, 0)).last();
  network.join(Concat{}, {max, average, strided}).then(Dropout{0.3}).then(FullyConnected{6, false}).then(Relu{});
  return Graph(network.classify(3), {2, 5, 5});
}

Parameters random_parameters(Random& random, const Graph& graph) {
  Parameters parameters;
  for (const TensorInfo& info : graph.tensors()) {
    const bool variance = info.name.ends_with("running_var");
    parameters.push_back(random.values(info.size(), variance ? 0.5 : -0.7, variance ? 2.0 : 0.7));
  }
  return parameters;
}

TEST_CASE("the gradient of every tensor is the loss's derivative, in training mode, dropout and batch norm included") {
  Random random(20);
  const Graph graph = every_kind();
  Parameters parameters = random_parameters(random, graph);
  const Tensor images = random.tensor(3, 2, 5, 5, -127, 128);
  const std::vector<int32_t> labels{2, 0, 1};
  const SubBatch sub_batch{11, 5, 0};
  const auto loss = [&] {
    Parameters copy = parameters;
    return negative_log_likelihood(logits(graph, forward(graph, copy, images, sub_batch)), labels) / 3;
  };
  Parameters gradients = zeros(graph);
  Parameters moved = parameters;
  backward(graph, parameters, forward(graph, moved, images, sub_batch), labels, 3, gradients);
  for (size_t t = 0; t < graph.tensors().size(); ++t) {
    const TensorInfo& info = graph.tensors()[t];
    test::check_gradient(info.name.c_str(), parameters[t], gradients[t], loss);
    double size = 0;
    for (const double value : gradients[t]) size += std::abs(value);
    CHECK_MESSAGE((size > 0) == (info.role != TensorRole::kStatistic), info.name);
  }
}

TEST_CASE("applying uses the running statistics and no dropout; an image's confidences do not depend on the others") {
  Random random(21);
  const Graph graph = every_kind();
  const Parameters parameters = random_parameters(random, graph);
  const Tensor images = random.tensor(2, 2, 5, 5, -127, 128);
  const Tensor both = apply(graph, parameters, images);
  Tensor second(1, 2, 5, 5);
  for (size_t i = 0; i < second.values.size(); ++i) second.values[i] = images.values[second.values.size() + i];
  const Tensor alone = apply(graph, parameters, second);
  double sum = 0;
  for (int64_t k = 0; k < 3; ++k) {
    CHECK(both.at(1, k, 0, 0) == alone.at(0, k, 0, 0));
    sum += alone.at(0, k, 0, 0);
  }
  CHECK(sum == doctest::Approx(1.0));
}

TEST_CASE("running statistics move by momentum, the variance unbiased") {
  Network network(1);
  const Graph graph(network.then(BatchNorm{1e-5, 0.25}).classify_flat(2), {1, 1, 2});
  Parameters parameters = zeros(graph);
  parameters[3] = {1.0};  // running_var
  Tensor images(2, 1, 1, 2);
  images.values = {0, 64, 64, 128};  // scale 1/64, shift 1/8: 0.125, 1.125, 1.125, 2.125
  forward(graph, parameters, images, {});
  CHECK(parameters[2][0] == doctest::Approx(0.25 * 1.125));
  CHECK(parameters[3][0] == doctest::Approx(0.75 + 0.25 * (2.0 / 3.0)));
}

TEST_CASE("the step's loss is the mean over all images plus the prior's share of the weights alone") {
  Random random(22);
  Network network(1);
  const Graph graph(network.then(BatchNorm{}).classify_flat(3), {1, 2, 2});
  TrainingState state{random_parameters(random, graph), zeros(graph)};
  const TrainingState before = state;
  const TrainingResult result = train_step(graph, state, random.tensor(2, 1, 2, 2, -127, 128), std::vector<int32_t>{0, 2},
                                           {.batch_size = 2, .learning_rate = 0.1, .momentum = 0.9, .weight_prior = 0.3});
  double squares = 0;
  for (size_t t = 0; t < graph.tensors().size(); ++t)
    for (const double w : before.values[t])
      if (graph.tensors()[t].role == TensorRole::kWeight) squares += w * w;
  CHECK(squares > 0);
  CHECK(result.loss_regularization == doctest::Approx(0.15 * squares));
  CHECK(result.loss == doctest::Approx(result.loss_multinomial_logistic + 0.15 * squares));
}

// torch.nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=...) and MaxPool2d(3, 2, 1, ceil_mode=True) of PyTorch 2.13 on
// torch.arange(1, 17).reshape(1, 1, 4, 4); the averages times 36.
TEST_CASE("pooling in ceil mode gives PyTorch's values") {
  Tensor x(1, 1, 4, 4);
  for (size_t i = 0; i < 16; ++i) x.values[i] = static_cast<double>(i + 1);
  const auto scaled = [&](bool count_include_pad) {
    Values values = average_pool_forward(x, test::pool(Pool::Kind::kAverage, 3, 2, 1, true, count_include_pad)).values;
    for (double& value : values) value = std::round(value * 36e6) / 1e6;
    return values;
  };
  CHECK(scaled(true) == Values{56, 120, 72, 228, 396, 216, 162, 270, 144});
  CHECK(scaled(false) == Values{126, 180, 216, 342, 396, 432, 486, 540, 576});
  CHECK(max_pool_forward(x, test::pool(Pool::Kind::kMax, 3, 2, 1, true)).values == Values{6, 8, 8, 14, 16, 16, 14, 16, 16});
}

}  // namespace
}  // namespace dl::reference
