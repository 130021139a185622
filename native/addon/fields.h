#pragma once

#include <napi.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/graph.h"

namespace dl::addon {

/// Reads the fields of one JavaScript object. A missing field, a wrong type and a value out of range are refused with the error
/// that the reader of this kind of object gives. Exceptions of JavaScript getters pass through as Napi::Error.
class Fields {
 public:
  using Refusal = std::function<Error(const std::string& field, const std::string& problem)>;

  Fields(Napi::Object object, Refusal refusal) : object_(object), refusal_(std::move(refusal)) {}

  /// Finite.
  double number(const char* name) const;
  /// A finite number, or nothing for null.
  std::optional<double> number_or_null(const char* name) const;
  int64_t integer(const char* name, int64_t minimum, int64_t maximum) const;
  bool boolean(const char* name) const;
  std::string string(const char* name) const;
  std::vector<std::string> strings(const char* name) const;
  /// Each finite.
  std::vector<double> numbers(const char* name) const;
  /// Finite in float32.
  std::vector<float> floats(const char* name) const;
  /// Each 0 or above.
  std::vector<int64_t> shape(const char* name) const;
  /// Two integers of at least `minimum`.
  Extent extent(const char* name, int64_t minimum) const;
  Napi::Value value(const char* name) const;
  /// What integer() does with a field, for a value at hand.
  int64_t whole(const char* name, const Napi::Value& value, int64_t minimum, int64_t maximum) const;

  [[noreturn]] void refuse(const char* name, const std::string& problem) const { throw refusal_(name, problem); }

 private:
  Napi::Array array(const char* name) const;
  double finite(const char* name, const Napi::Value& value) const;

  Napi::Object object_;
  Refusal refusal_;
};

/// `value` as an object of options; refused with kInvalidArgument, the field's name in the metadata.
Fields option_fields(const Napi::Value& value, const std::string& argument);

/// An integer in minimum..maximum; refused with kInvalidArgument.
int64_t to_integer(const Napi::Value& value, const std::string& argument, int64_t minimum, int64_t maximum);

/// The largest extent, channel count and image count that the bridge lets through.
inline constexpr int64_t kMaxExtent = 1 << 24;

}  // namespace dl::addon
