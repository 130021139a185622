#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dl::cuda {

/// One of cuDNN's engines with a setting of its knobs: all that is needed to make the same execution plan again.
struct EngineChoice {
  struct Knob {
    int64_t type = 0;
    int64_t value = 0;

    bool operator==(const Knob&) const = default;
  };

  int64_t engine = 0;  // global index
  std::vector<Knob> knobs;

  bool operator==(const EngineChoice&) const = default;
};

/// For instance "12;2=17;6=0".
std::string to_text(const EngineChoice& choice);
/// Nothing where the text is no choice.
std::optional<EngineChoice> to_choice(const std::string& text);

}  // namespace dl::cuda
