// Which of cuDNN's engines computes a convolution is measured once and kept in a file.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "cuda/convolution/choice_cache.h"
#include "cuda/convolution/shape.h"

namespace dl::test {
namespace {

namespace fs = std::filesystem;

const cuda::EngineChoice kChoice{12, {{2, 17}, {6, 0}}};

struct Folder {
  Folder() : path(fs::temp_directory_path() / ("dl-choices-test-" + std::to_string(std::rand()))) {}
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

TEST_CASE("a choice as text, and back") {
  CHECK(cuda::to_text(kChoice) == "12;2=17;6=0");
  CHECK(cuda::to_choice("12;2=17;6=0") == kChoice);
  CHECK(cuda::to_choice("3") == cuda::EngineChoice{3, {}});
  for (const char* damaged : {"", "x", "12;", "12;2", "12;2=", "12;2=1x", "12 ", "12;2=17,6=0"}) {
    CAPTURE(damaged);
    CHECK_FALSE(cuda::to_choice(damaged));
  }
}

TEST_CASE("another process finds what was chosen; another device or another library does not") {
  const Folder folder;
  cuda::ChoiceCache first(folder.path, "NVIDIA H100 80GB HBM3, cuDNN 9.24.0");
  cuda::ChoiceCache beside(folder.path, "NVIDIA H100 80GB HBM3, cuDNN 9.24.0");
  first.add("a", kChoice);
  beside.add("b", {7, {}});
  const cuda::ChoiceCache later(folder.path, "NVIDIA H100 80GB HBM3, cuDNN 9.24.0");
  CHECK(later.find("a") == kChoice);
  CHECK(later.find("b") == cuda::EngineChoice{7, {}});
  CHECK_FALSE(later.find("c"));
  CHECK_FALSE(cuda::ChoiceCache(folder.path, "NVIDIA H100 80GB HBM3, cuDNN 9.25.0").find("a"));
  CHECK_FALSE(cuda::ChoiceCache(folder.path, "NVIDIA A100, cuDNN 9.24.0").find("a"));
}

TEST_CASE("what was chosen before candidates had knobs is not read") {
  const Folder folder;
  fs::create_directories(folder.path);
  { std::ofstream(folder.path / "convolutions-device.txt") << "a 7\n"; }
  CHECK_FALSE(cuda::ChoiceCache(folder.path, "device").find("a"));
}

TEST_CASE("what a process has chosen stays for it, whatever another one chooses: plans are bound with it") {
  const Folder folder;
  cuda::ChoiceCache first(folder.path, "device");
  cuda::ChoiceCache beside(folder.path, "device");
  first.add("a", kChoice);
  beside.add("a", {7, {}});
  first.add("b", kChoice);
  CHECK(first.find("a") == kChoice);
  CHECK(beside.find("a") == cuda::EngineChoice{7, {}});
}

TEST_CASE("two devices of a process that are of one kind write one file, and who reads it finds all of it") {
  const Folder folder;
  constexpr int kKeys = 200;
  {
    cuda::ChoiceCache cache(folder.path, "device");
    for (int key = 0; key < kKeys; ++key) cache.add(std::to_string(key), kChoice);
  }
  std::atomic<int> writing = 2;
  const auto write = [&] {
    cuda::ChoiceCache cache(folder.path, "device");
    for (int time = 0; time < 300; ++time) cache.add(std::to_string(time % kKeys), kChoice);
    --writing;
  };
  std::thread one(write), other(write);
  int missing = 0;
  while (writing > 0) {
    const cuda::ChoiceCache reader(folder.path, "device");
    for (int key = 0; key < kKeys; ++key) missing += reader.find(std::to_string(key)) != kChoice;
  }
  one.join();
  other.join();
  CHECK(missing == 0);
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("a file that is damaged or cannot be written is no error") {
  const Folder folder;
  cuda::ChoiceCache cache(folder.path, "device");
  cache.add("a", kChoice);
  { std::ofstream(cache.file()) << "a nonsense\nalone\nb 7\nc 12;2=17"; }
  const cuda::ChoiceCache damaged(folder.path, "device");
  CHECK_FALSE(damaged.find("a"));
  CHECK(damaged.find("b") == cuda::EngineChoice{7, {}});
  CHECK_FALSE(damaged.find("c"));  // its line has no end: it may have been 12;2=17;6=0

  { std::ofstream(folder.path / "file"); }
  cuda::ChoiceCache nowhere(folder.path / "file", "device");
  nowhere.add("a", kChoice);
  CHECK(nowhere.find("a") == kChoice);
  cuda::ChoiceCache homeless({}, "device");
  homeless.add("a", kChoice);
  CHECK(homeless.find("a") == kChoice);
}

TEST_CASE("a key tells apart all that an engine depends on") {
  using Direction = cuda::ConvolutionShape::Direction;
  const cuda::ConvolutionShape shape{.images = 8, .in = {16, 9, 7}, .out = {32, 9, 7}, .kernel = {3, 3}, .padding = {1, 1}};
  std::set<std::string> keys;
  size_t added = 0;
  const auto add = [&](const cuda::ConvolutionShape& other, const cuda::ConvolutionRules& rules = {}) {
    keys.insert(cuda::key_of(other, rules));
    ++added;
    CHECK(keys.size() == added);
  };
  add(shape);
  const auto changed = [&](const auto& change) {
    cuda::ConvolutionShape other = shape;
    change(other);
    add(other);
  };
  changed([](auto& s) { s.direction = Direction::kData; });
  changed([](auto& s) { s.direction = Direction::kFilter; });
  changed([](auto& s) { s.images = 9; });
  changed([](auto& s) { s.in.channels = 32; });
  changed([](auto& s) { s.in.height = 10; });
  changed([](auto& s) { s.in.width = 10; });
  changed([](auto& s) { s.out.channels = 16; });
  changed([](auto& s) { s.out.height = 5; });
  changed([](auto& s) { s.kernel = {1, 3}; });
  changed([](auto& s) { s.kernel = {3, 1}; });
  changed([](auto& s) { s.stride = {1, 2}; });
  changed([](auto& s) { s.padding = {0, 1}; });
  changed([](auto& s) { s.groups = 2; });
  changed([](auto& s) { s.result = cuda::DataType::kBfloat16; });
  changed([](auto& s) { s.added = true; });
  add(shape, {Precision::kTf32, false});
  add(shape, {Precision::kBfloat16, false});
  add(shape, {Precision::kFloat32, true});
  for (const std::string& key : keys) CHECK(key.find_first_of(" \t\n") == std::string::npos);
}

}  // namespace
}  // namespace dl::test
