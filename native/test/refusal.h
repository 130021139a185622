#pragma once

#include <optional>

#include "engine/error.h"

namespace dl::test {

/// The error that `call` throws, or nothing.
std::optional<Error> refusal(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// Whether `call` throws dl::Error with this reason.
bool refuses(Reason reason, const auto& call) {
  const std::optional<Error> error = refusal(call);
  return error && error->reason() == reason;
}

}  // namespace dl::test
