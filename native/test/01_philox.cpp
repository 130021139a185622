// The random numbers are those that everybody else's Philox4x32-10 gives.
#include <doctest/doctest.h>

#include "engine/random.h"
#include "reference/philox.h"
#include "test/random.h"

namespace dl {
namespace {

using Words = std::array<uint32_t, 4>;
using Key = std::array<uint32_t, 2>;

struct KnownAnswer {
  Words counter;
  Key key;
  Words words;
};

// Random123, tests/kat_vectors, the lines "philox4x32 10".
constexpr KnownAnswer kKnownAnswers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

TEST_CASE("Philox4x32-10 gives Random123's known answers") {
  for (const KnownAnswer& known : kKnownAnswers) {
    CHECK(reference::philox4x32_10(known.counter, known.key) == known.words);
    CHECK(philox(known.counter, known.key) == known.words);
  }
}

TEST_CASE("the engine's Philox is the reference's for any counter and key") {
  test::Random random(1);
  const auto word = [&] { return static_cast<uint32_t>(random.integer(0, 0xffffffff)); };
  for (int i = 0; i < 1000; ++i) {
    const Words counter{word(), word(), word(), word()};
    const Key key{word(), word()};
    REQUIRE(philox(counter, key) == reference::philox4x32_10(counter, key));
  }
  CHECK(philox_key(0x0123456789abcdef) == Key{0x89abcdef, 0x01234567});
}

}  // namespace
}  // namespace dl
