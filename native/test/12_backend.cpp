// A backend that is a library of its own: where it is missing, no library, or of other sources, the engine says so and goes on.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/backend.h"

namespace dl::test {
namespace {

namespace fs = std::filesystem;

/// What is said where no device can be used.
Error only_problem(const std::string& file) {
  const FoundDevices found = open_backend(file);
  REQUIRE(found.size() == 1);
  REQUIRE(found[0].device == nullptr);
  REQUIRE(found[0].problem);
  return *found[0].problem;
}

TEST_CASE("a backend that is not there") {
  const Error problem = only_problem("/nonexistent/dl_cuda.so");
  CHECK(problem.reason() == Reason::kNoGpu);
  CHECK(std::string(problem.what()) == "the CUDA backend has not been built");
  CHECK(problem.metadata().at("remedy") == "build it with: npm run build:cuda");
}

TEST_CASE("a backend that is no library") {
  const fs::path file = fs::temp_directory_path() / ("dl-backend-test-" + std::to_string(std::rand()));
  { std::ofstream(file) << "no library"; }
  const Error problem = only_problem(file);
  fs::remove(file);
  CHECK(problem.reason() == Reason::kNoGpu);
  CHECK(std::string(problem.what()).starts_with("the CUDA backend cannot be loaded: "));
  CHECK(problem.metadata().contains("remedy"));
}

TEST_CASE("a backend that was built from other sources") {
  const Error problem = only_problem(DL_FOREIGN_BACKEND);
  CHECK(problem.reason() == Reason::kNoGpu);
  CHECK(std::string(problem.what()).find("was built from other sources than the engine") != std::string::npos);
}

}  // namespace
}  // namespace dl::test
