// The engine in bfloat16, where the processor has it, against the float64 reference.
//
// bfloat16 keeps 8 significant bits: every stored value is off by up to 2^-9 of itself, a ReLU or a maximum may decide otherwise,
// and a network passes that on and adds to it. How much that comes to depends on the network: 0.4 % of the gradient at the median
// of these cases, 12 % at most. So the bound is not a number for all but what the format costs each network by itself, which the
// reference shows when it rounds activations, their gradients and weights to bfloat16 (and computes in float64 between):
//
//   |engine - exact| <= 2 |rounded reference - exact| + 2^-5 |exact|      (2^-5: 16 roundings, where few decide)
//
// A single layer leaves no room for other orders of rounding; there the engine must be the rounded reference itself, within 2^-5.
// Fused layers (batch norm with addition and ReLU) round once where the reference rounds two or three times.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "test/cases.h"
#include "test/device.h"

namespace dl::test {
namespace {

constexpr double kSixteenRoundings = 0x1p-5;
constexpr double kFourRoundings = 0x1p-7;

enum class Expect { kCloseToExact, kRoundedReference };

void check_tensor(const std::string& what, const reference::Values& actual, const reference::Values& exact,
                  const reference::Values& rounded, double floor, Expect expect) {
  const double size = norm(exact) + floor;
  CHECK_MESSAGE(distance(actual, exact) <= 2 * distance(rounded, exact) + kSixteenRoundings * size,
                what << " is off by " << distance(actual, exact) / size << ", the rounded reference by "
                     << distance(rounded, exact) / size);
  if (expect == Expect::kCloseToExact) return;
  CHECK_MESSAGE(distance(actual, rounded) <= kSixteenRoundings * size,
                what << " differs from the rounded reference by " << distance(actual, rounded) / size);
}

/// On a GPU, a bias is added to what the library has rounded already, as in PyTorch.
reference::Storage bfloat16_storage() {
  const bool on_gpu = device().info().instruction_set.starts_with("compute capability");
  return on_gpu ? reference::Storage::kBfloat16BiasApart : reference::Storage::kBfloat16;
}

void check_case(const EngineCase& test, uint64_t seed, Expect expect) {
  CAPTURE(test.name);
  CAPTURE(seed);
  Experiment experiment(test, seed);
  const Outcome actual = experiment.engine(Precision::kBfloat16);
  const Outcome exact = experiment.reference(reference::Storage::kFloat64);
  const Outcome rounded = experiment.reference(bfloat16_storage());

  const double loss_size = std::max(1.0, exact.loss);
  CHECK(std::abs(actual.loss - exact.loss) <= 2 * std::abs(rounded.loss - exact.loss) + kFourRoundings * loss_size);
  const auto confidences_hold = [](const reference::Values& engine, const reference::Values& wanted,
                                   const reference::Values& format) {
    return greatest_difference(engine, wanted) <= 2 * greatest_difference(format, wanted) + kFourRoundings;
  };
  CHECK(confidences_hold(actual.confidences_before, exact.confidences_before, rounded.confidences_before));
  CHECK(confidences_hold(actual.confidences_after, exact.confidences_after, rounded.confidences_after));

  const double floor = 1e-2 * exact.gradient_norm + 1e-9;
  const std::vector<TensorInfo>& tensors = experiment.graph().tensors();
  for (size_t t = 0; t < tensors.size(); ++t) {
    if (tensors[t].role == TensorRole::kStatistic) {
      check_tensor(tensors[t].name, actual.values[t], exact.values[t], rounded.values[t], 1e-3, expect);
    } else {
      check_tensor("gradient of " + tensors[t].name, actual.gradients[t], exact.gradients[t], rounded.gradients[t], floor,
                   expect);
    }
  }
}

bool has_bfloat16() {
  const std::vector<Precision> precisions = device().info().precisions;
  return std::find(precisions.begin(), precisions.end(), Precision::kBfloat16) != precisions.end();
}

void check_all(const std::vector<EngineCase>& cases, Expect expect) {
  if (!has_bfloat16()) {
    MESSAGE("this processor has no bfloat16 arithmetic: nothing to compare");
    return;
  }
  for (size_t i = 0; i < cases.size(); ++i) check_case(cases[i], 300 + i, expect);
}

TEST_CASE("bfloat16: convolution") { check_all(convolution_cases(), Expect::kRoundedReference); }
TEST_CASE("bfloat16: batch norm") { check_all(batch_norm_cases(), Expect::kRoundedReference); }
TEST_CASE("bfloat16: ReLU, ReLU6, add, concat, dropout") { check_all(elementwise_cases(), Expect::kRoundedReference); }
TEST_CASE("bfloat16: maximum and average pooling") { check_all(pooling_cases(), Expect::kRoundedReference); }
TEST_CASE("bfloat16: global average pooling, fully connected, softmax with loss") {
  check_all(head_cases(), Expect::kRoundedReference);
}
TEST_CASE("bfloat16: blocks of real networks") { check_all(block_cases(), Expect::kCloseToExact); }
TEST_CASE("bfloat16: random networks") {
  std::vector<EngineCase> cases;
  for (uint64_t seed = 2000; seed < 2050; ++seed) cases.push_back(random_case(seed));
  check_all(cases, Expect::kCloseToExact);
}

TEST_CASE("the reference rounds to bfloat16 as the format does") {
  CHECK(reference::round_to_bfloat16(1.0) == 1.0);
  CHECK(reference::round_to_bfloat16(1.0 + 0x1p-8) == 1.0);           // a tie goes to the even neighbour
  CHECK(reference::round_to_bfloat16(1.0 + 0x3p-8) == 1.0 + 0x1p-6);  // and so does this one
  CHECK(reference::round_to_bfloat16(1.0 + 0x1.1p-8) == 1.0 + 0x1p-7);
  CHECK(reference::round_to_bfloat16(-3.14159265) == -3.140625);
  CHECK(reference::round_to_bfloat16(0.0) == 0.0);
}

}  // namespace
}  // namespace dl::test
