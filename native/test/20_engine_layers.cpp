// Every layer kind of the engine in float32: gradients, loss, running statistics and confidences are those of the float64
// reference.
#include <doctest/doctest.h>

#include "test/cases.h"

namespace dl::test {
namespace {

void check_all(const std::vector<EngineCase>& cases) {
  for (size_t i = 0; i < cases.size(); ++i) check_against_reference(cases[i], 100 + i);
}

TEST_CASE("convolution") { check_all(convolution_cases()); }
TEST_CASE("batch norm") { check_all(batch_norm_cases()); }
TEST_CASE("ReLU, ReLU6, add, concat, dropout") { check_all(elementwise_cases()); }
TEST_CASE("maximum and average pooling") { check_all(pooling_cases()); }
TEST_CASE("global average pooling, fully connected, softmax with loss") { check_all(head_cases()); }

}  // namespace
}  // namespace dl::test
