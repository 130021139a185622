// Model::reshape: a layer whose tensors keep their shapes keeps its values and its momentum; 3 to 1 channels sums the filters;
// all else is initialised anew from the seed.
#include <doctest/doctest.h>

#include "test/comparison.h"
#include "test/device.h"
#include "test/model_tensors.h"
#include "test/network.h"
#include "test/refusal.h"

namespace dl::test {
namespace {

using Names = std::vector<std::string>;

/// Names: convolution1, batch_norm2, fully_connected5.
std::vector<Layer> pooled(int64_t channels, int64_t classes, int64_t filters = 16) {
  return Network(channels).then(convolution(filters)).then(BatchNorm{}).then(Relu{}).classify(classes);
}

/// Names: convolution1, batch_norm2, fully_connected4.
std::vector<Layer> flat(int64_t channels, int64_t classes) {
  return Network(channels).then(convolution(6)).then(BatchNorm{}).then(Relu{}).classify_flat(classes);
}

/// A model with two steps behind it, so that values, statistics and momentum are all in use.
struct Trained {
  Trained(const std::vector<Layer>& layers, ImageShape input) : model(device(), layers, input, 60) {
    Random random(60);
    for (uint64_t step = 0; step < 2; ++step) {
      const Batch batch = random_batch(random, input, 3, model.graph().classes(), PixelFormat::kUint8);
      model.train(batch.view(), batch.labels, {{3, Precision::kFloat32, true}, 1, 0.1, 0.9, 0.0, step});
    }
    before = model.snapshot();
  }

  bool kept(const std::string& name, TensorRole role) const {
    const std::vector<NamedTensor> now = model.snapshot();
    return find(now, name, role).values == find(before, name, role).values;
  }

  bool momentum_is_zero(const std::string& name) const {
    const std::vector<NamedTensor> now = model.snapshot();
    for (const float value : find(now, name, TensorRole::kMomentum).values)
      if (value != 0) return false;
    return true;
  }

  /// Whether the tensor is what a new model with this seed begins with.
  bool fresh(const std::string& name, TensorRole role, const std::vector<Layer>& layers, ImageShape input, uint64_t seed) const {
    const std::vector<NamedTensor> now = model.snapshot();
    const std::vector<NamedTensor> initial = Model(device(), layers, input, seed).snapshot();
    return find(now, name, role).values == find(initial, name, role).values;
  }

  Model model;
  std::vector<NamedTensor> before;
};

TEST_CASE("another number of classes: the last layer is initialised anew, the others keep values and momentum") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  const std::vector<Layer> layers = pooled(3, 7);
  CHECK(trained.model.reshape(layers, {3, 8, 8}, {{}, 99}) == Names{"fully_connected5"});
  CHECK(trained.model.graph().classes() == 7);
  CHECK(trained.kept("convolution1.weight", TensorRole::kWeight));
  CHECK(trained.kept("convolution1.weight", TensorRole::kMomentum));
  CHECK(trained.kept("batch_norm2.weight", TensorRole::kBias));
  CHECK(trained.kept("batch_norm2.bias", TensorRole::kMomentum));
  CHECK(trained.kept("batch_norm2.running_mean", TensorRole::kStatistic));
  CHECK(trained.kept("batch_norm2.running_var", TensorRole::kStatistic));
  CHECK(trained.fresh("fully_connected5.weight", TensorRole::kWeight, layers, {3, 8, 8}, 99));
  CHECK(trained.fresh("fully_connected5.bias", TensorRole::kBias, layers, {3, 8, 8}, 99));
  CHECK(trained.momentum_is_zero("fully_connected5.weight"));
  CHECK(trained.momentum_is_zero("fully_connected5.bias"));
}

TEST_CASE("another image size keeps everything where only convolutions and pools see it") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  CHECK(trained.model.reshape(pooled(3, 4), {3, 11, 13}, {{}, 99}).empty());
  CHECK(bit_equal(trained.model.snapshot(), trained.before));
  CHECK(trained.model.graph().input() == ImageShape{3, 11, 13});
  Random random(61);
  const Batch batch = random_batch(random, {3, 11, 13}, 3, 4, PixelFormat::kUint8);
  const reference::Values expected =
      reference::apply(trained.model.graph(), reference_state(trained.model).values, batch.images).values;
  const std::vector<float> actual = trained.model.apply(batch.view(), {2, Precision::kFloat32, false});
  for (size_t i = 0; i < actual.size(); ++i) CHECK(actual[i] == doctest::Approx(expected[i]).epsilon(1e-5));
}

TEST_CASE("another image size initialises a fully connected layer over all positions anew") {
  Trained trained(flat(3, 4), {3, 6, 6});
  CHECK(trained.model.reshape(flat(3, 4), {3, 6, 7}, {{}, 98}) == Names{"fully_connected4"});
  CHECK(trained.kept("convolution1.weight", TensorRole::kWeight));
  CHECK(trained.fresh("fully_connected4.weight", TensorRole::kWeight, flat(3, 4), {3, 6, 7}, 98));
  // The bias keeps its shape, but the layer is new as a whole.
  CHECK(trained.fresh("fully_connected4.bias", TensorRole::kBias, flat(3, 4), {3, 6, 7}, 98));
  CHECK(trained.momentum_is_zero("fully_connected4.bias"));
}

TEST_CASE("3 to 1 channels: the first layer's filters are summed over the channels, momentum zero") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  CHECK(trained.model.reshape(pooled(1, 4), {1, 8, 8}, {{}, 97}).empty());
  const std::vector<NamedTensor> after = trained.model.snapshot();
  const NamedTensor& summed = find(after, "convolution1.weight", TensorRole::kWeight);
  const NamedTensor& filters = find(trained.before, "convolution1.weight", TensorRole::kWeight);
  REQUIRE(summed.shape == std::vector<int64_t>{16, 1, 3, 3});
  for (size_t k = 0; k < 16; ++k)
    for (size_t i = 0; i < 9; ++i) {
      const float sum =
          filters.values[(k * 3 + 0) * 9 + i] + filters.values[(k * 3 + 1) * 9 + i] + filters.values[(k * 3 + 2) * 9 + i];
      CHECK(summed.values[k * 9 + i] == doctest::Approx(sum).epsilon(1e-6));
    }
  CHECK(trained.momentum_is_zero("convolution1.weight"));
  CHECK(trained.kept("fully_connected5.weight", TensorRole::kWeight));
  CHECK(trained.kept("fully_connected5.weight", TensorRole::kMomentum));
  CHECK(trained.kept("batch_norm2.running_var", TensorRole::kStatistic));
}

TEST_CASE("3 to 1 channels: the first layer's bias keeps its values; its momentum is zero as that of the filters") {
  const auto biased = [](int64_t channels) {
    return Network(channels).then(convolution(8, 3, 1, 1, 1, true)).then(Relu{}).classify(4);
  };
  Trained trained(biased(3), {3, 8, 8});
  CHECK_FALSE(trained.momentum_is_zero("convolution1.bias"));
  CHECK(trained.model.reshape(biased(1), {1, 8, 8}, {{}, 91}).empty());
  CHECK(trained.kept("convolution1.bias", TensorRole::kBias));
  CHECK(trained.momentum_is_zero("convolution1.bias"));
  CHECK(trained.kept("fully_connected4.bias", TensorRole::kMomentum));
}

TEST_CASE("1 to 3 channels initialises the first layer anew") {
  Trained trained(pooled(1, 4), {1, 8, 8});
  CHECK(trained.model.reshape(pooled(3, 4), {3, 8, 8}, {{}, 96}) == Names{"convolution1"});
  CHECK(trained.fresh("convolution1.weight", TensorRole::kWeight, pooled(3, 4), {3, 8, 8}, 96));
  CHECK(trained.momentum_is_zero("convolution1.weight"));
  CHECK(trained.kept("fully_connected5.weight", TensorRole::kWeight));
}

TEST_CASE("more filters: the convolution, its batch norm and the classes are new") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  CHECK(trained.model.reshape(pooled(3, 4, 20), {3, 8, 8}, {{}, 95}) == Names{"convolution1", "batch_norm2", "fully_connected5"});
  CHECK(trained.fresh("batch_norm2.running_var", TensorRole::kStatistic, pooled(3, 4, 20), {3, 8, 8}, 95));
  CHECK(trained.momentum_is_zero("batch_norm2.weight"));
}

TEST_CASE("layers named are initialised anew although nothing else changes") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  CHECK(trained.model.reshape(pooled(3, 4), {3, 8, 8}, {{"fully_connected5", "batch_norm2"}, 94}) ==
        Names{"batch_norm2", "fully_connected5"});
  CHECK(trained.kept("convolution1.weight", TensorRole::kMomentum));
  CHECK(trained.fresh("fully_connected5.weight", TensorRole::kWeight, pooled(3, 4), {3, 8, 8}, 94));
  CHECK(trained.fresh("batch_norm2.running_mean", TensorRole::kStatistic, pooled(3, 4), {3, 8, 8}, 94));
  CHECK(trained.momentum_is_zero("fully_connected5.weight"));
}

TEST_CASE("a graph that does not fit together, or an unknown layer to initialise, changes nothing") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  CHECK(refuses(Reason::kInvalidGraph, [&] { trained.model.reshape(pooled(3, 4), {1, 8, 8}, {{}, 93}); }));
  CHECK(refuses(Reason::kInvalidGraph, [&] { trained.model.reshape({}, {3, 8, 8}, {{}, 93}); }));
  CHECK(refuses(Reason::kInvalidArgument, [&] { trained.model.reshape(pooled(3, 4), {3, 8, 8}, {{"convolution77"}, 93}); }));
  CHECK(bit_equal(trained.model.snapshot(), trained.before));
  CHECK(trained.model.graph().input() == ImageShape{3, 8, 8});
}

TEST_CASE("another solver with the graph: its state begins at zero, values are kept") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  CHECK(trained.model.reshape(pooled(3, 7), {3, 8, 8}, {{}, 90, Solver::kAdam}) == Names{"fully_connected5"});
  CHECK(trained.kept("convolution1.weight", TensorRole::kWeight));
  CHECK(trained.kept("batch_norm2.running_mean", TensorRole::kStatistic));
  const std::vector<NamedTensor> now = trained.model.snapshot();
  for (const NamedTensor& tensor : now) CHECK(tensor.role != TensorRole::kMomentum);
  for (const TensorRole role : {TensorRole::kFirstMoment, TensorRole::kSecondMoment, TensorRole::kUpdateCount})
    for (const float value : find(now, "convolution1.weight", role).values) CHECK(value == 0);
}

TEST_CASE("plans that are asked for are there; what they held before is free") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  const PlanOptions plan{5, Precision::kFloat32, false};
  trained.model.reshape(pooled(3, 7), {3, 12, 12}, {{}, 89, std::nullopt, plan});
  const MemoryPlan wanted = trained.model.plan_memory(plan);
  CHECK(trained.model.memory_bytes() == wanted.parameter_bytes + wanted.training_bytes + wanted.inference_bytes);
  trained.model.reshape(pooled(3, 7), {3, 8, 8}, {{}, 89});
  CHECK(trained.model.memory_bytes() == trained.model.plan_memory(plan).parameter_bytes);
}

TEST_CASE("plans whose memory cannot be had: graph, solver and every value stay") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  const PlanOptions huge{int64_t{1} << 23, Precision::kFloat32, false};
  const ReshapeOptions options{{"fully_connected5"}, 88, Solver::kAdam, huge};
  CHECK(refuses(Reason::kOutOfMemory, [&] { trained.model.reshape(pooled(1, 5), {1, 1024, 1024}, options); }));
  CHECK(bit_equal(trained.model.snapshot(), trained.before));
  CHECK(trained.model.graph().input() == ImageShape{3, 8, 8});
  CHECK(trained.model.graph().classes() == 4);
  Random random(63);
  const Batch batch = random_batch(random, {3, 8, 8}, 3, 4, PixelFormat::kUint8);
  Trained other(pooled(3, 4), {3, 8, 8});
  const TrainOptions step{{3, Precision::kFloat32, true}, 1, 0.1, 0.9, 0.0, 2};
  CHECK(trained.model.train(batch.view(), batch.labels, step).loss == other.model.train(batch.view(), batch.labels, step).loss);
  CHECK(bit_equal(trained.model.snapshot(), other.model.snapshot()));
}

TEST_CASE("a reshaped model trains as the reference does") {
  Trained trained(pooled(3, 4), {3, 8, 8});
  trained.model.reshape(pooled(1, 5), {1, 9, 7}, {{}, 92});
  Random random(62);
  const Batch batch = random_batch(random, {1, 9, 7}, 4, 5, PixelFormat::kUint8);
  reference::TrainingState state = reference_state(trained.model);
  const reference::TrainingResult expected =
      reference::train_step(trained.model.graph(), state, batch.images, batch.labels,
                            {.batch_size = 4, .learning_rate = 0.1, .momentum = 0.9, .step = 2});
  const StepResult result =
      trained.model.train(batch.view(), batch.labels, {{4, Precision::kFloat32, false}, 1, 0.1, 0.9, 0.0, 2});
  CHECK(result.loss == doctest::Approx(expected.loss).epsilon(1e-5));
  const reference::TrainingState after = reference_state(trained.model);
  for (size_t t = 0; t < state.values.size(); ++t) {
    check_close(trained.model.graph().tensors()[t].name, after.values[t], state.values[t], kFloat32Bounds, 1e-6);
    check_close("momentum", after.momentum[t], state.momentum[t], kFloat32Bounds, 1e-4);
  }
}

}  // namespace
}  // namespace dl::test
