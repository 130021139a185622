#include "cuda/convolution/engine_choice.h"

#include <charconv>
#include <string_view>

namespace dl::cuda {
namespace {

/// Reads a number off the front.
bool take_number(std::string_view& text, int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool take(std::string_view& text, char character) {
  if (!text.starts_with(character)) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string to_text(const EngineChoice& choice) {
  std::string text = std::to_string(choice.engine);
  for (const EngineChoice::Knob& knob : choice.knobs) text += ";" + std::to_string(knob.type) + "=" + std::to_string(knob.value);
  return text;
}

std::optional<EngineChoice> to_choice(const std::string& text) {
  std::string_view rest = text;
  EngineChoice choice;
  if (!take_number(rest, choice.engine)) return std::nullopt;
  while (take(rest, ';')) {
    EngineChoice::Knob knob;
    if (!take_number(rest, knob.type) || !take(rest, '=') || !take_number(rest, knob.value)) return std::nullopt;
    choice.knobs.push_back(knob);
  }
  if (!rest.empty()) return std::nullopt;
  return choice;
}

}  // namespace dl::cuda
