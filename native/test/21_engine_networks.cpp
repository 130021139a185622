// Layers together in the engine: blocks of real networks and random networks, against the float64 reference.
#include <doctest/doctest.h>

#include "test/cases.h"

namespace dl::test {
namespace {

TEST_CASE("blocks of real networks") {
  const std::vector<EngineCase> cases = block_cases();
  for (size_t i = 0; i < cases.size(); ++i) check_against_reference(cases[i], 200 + i);
}

TEST_CASE("random networks") {
  for (uint64_t seed = 1000; seed < 1150; ++seed) check_against_reference(random_case(seed), seed);
}

}  // namespace
}  // namespace dl::test
