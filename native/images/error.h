#pragma once

#include <string>

#include "engine/error.h"

namespace dl::images {

/// The refusal of an image file; `problem` is the rest of a sentence that begins "it cannot be decoded: ".
inline Error undecodable(const std::string& problem) {
  return Error(Reason::kImageUndecodable, "the image cannot be decoded: " + problem, {{"problem", problem}});
}

/// The refusal of an image that is not what the classifier takes and must not be converted.
inline Error mismatch(Reason reason, const char* what, int64_t got, int64_t wanted) {
  return Error(reason, std::string("the image's ") + what + ": " + std::to_string(got) + ", wanted: " + std::to_string(wanted),
               {{"got", std::to_string(got)}, {"wanted", std::to_string(wanted)}});
}

}  // namespace dl::images
