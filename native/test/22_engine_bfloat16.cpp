// The engine in bfloat16, where the processor has it, against the float64 reference.
#include <doctest/doctest.h>

#include <algorithm>

#include "cpu/device.h"
#include "test/cases.h"

namespace dl::test {
namespace {

constexpr Bounds kBfloat16Bounds{0.02, 1, 0.06, 0.03};

void check_all(const std::vector<EngineCase>& cases) {
  const std::vector<Precision> precisions = cpu::device_info().precisions;
  if (std::find(precisions.begin(), precisions.end(), Precision::kBfloat16) == precisions.end()) {
    MESSAGE("this processor has no bfloat16 arithmetic: nothing to compare");
    return;
  }
  for (size_t i = 0; i < cases.size(); ++i) check_against_reference(cases[i], 300 + i, Precision::kBfloat16, kBfloat16Bounds);
}

TEST_CASE("bfloat16: convolution") { check_all(convolution_cases()); }
TEST_CASE("bfloat16: batch norm") { check_all(batch_norm_cases()); }
TEST_CASE("bfloat16: ReLU, ReLU6, add, concat, dropout") { check_all(elementwise_cases()); }
TEST_CASE("bfloat16: maximum and average pooling") { check_all(pooling_cases()); }
TEST_CASE("bfloat16: global average pooling, fully connected, softmax with loss") { check_all(head_cases()); }
TEST_CASE("bfloat16: blocks of real networks") { check_all(block_cases()); }

}  // namespace
}  // namespace dl::test
