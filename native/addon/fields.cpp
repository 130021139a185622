#include "addon/fields.h"

#include <cmath>

#include "addon/error.h"

namespace dl::addon {

Napi::Value Fields::value(const char* name) const {
  const Napi::Value value = object_.Get(name);
  if (value.IsUndefined()) refuse(name, "is missing");
  return value;
}

double Fields::finite(const char* name, const Napi::Value& value) const {
  if (!value.IsNumber()) refuse(name, "is not a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!std::isfinite(number)) refuse(name, "is not finite");
  return number;
}

int64_t Fields::whole(const char* name, const Napi::Value& value, int64_t minimum, int64_t maximum) const {
  const double number = finite(name, value);
  if (std::trunc(number) != number) refuse(name, "is not an integer");
  if (number < static_cast<double>(minimum) || number > static_cast<double>(maximum)) {
    refuse(name, "must lie in " + std::to_string(minimum) + ".." + std::to_string(maximum));
  }
  return static_cast<int64_t>(number);
}

Napi::Array Fields::array(const char* name) const {
  const Napi::Value array = value(name);
  if (!array.IsArray()) refuse(name, "is not an array");
  return array.As<Napi::Array>();
}

double Fields::number(const char* name) const { return finite(name, value(name)); }

std::optional<double> Fields::number_or_null(const char* name) const {
  const Napi::Value number = value(name);
  if (number.IsNull()) return std::nullopt;
  return finite(name, number);
}

int64_t Fields::integer(const char* name, int64_t minimum, int64_t maximum) const {
  return whole(name, value(name), minimum, maximum);
}

bool Fields::boolean(const char* name) const {
  const Napi::Value boolean = value(name);
  if (!boolean.IsBoolean()) refuse(name, "is not a boolean");
  return boolean.As<Napi::Boolean>().Value();
}

std::string Fields::string(const char* name) const {
  const Napi::Value string = value(name);
  if (!string.IsString()) refuse(name, "is not a string");
  return string.As<Napi::String>().Utf8Value();
}

std::vector<std::string> Fields::strings(const char* name) const {
  const Napi::Array elements = array(name);
  std::vector<std::string> strings;
  for (uint32_t i = 0; i < elements.Length(); ++i) {
    const Napi::Value element = elements.Get(i);
    if (!element.IsString()) refuse(name, "holds something that is not a string");
    strings.push_back(element.As<Napi::String>().Utf8Value());
  }
  return strings;
}

std::vector<double> Fields::numbers(const char* name) const {
  const Napi::Array elements = array(name);
  std::vector<double> numbers;
  for (uint32_t i = 0; i < elements.Length(); ++i) numbers.push_back(finite(name, elements.Get(i)));
  return numbers;
}

std::vector<float> Fields::floats(const char* name) const {
  const Napi::Array elements = array(name);
  std::vector<float> floats;
  for (uint32_t i = 0; i < elements.Length(); ++i) {
    const auto number = static_cast<float>(finite(name, elements.Get(i)));
    if (!std::isfinite(number)) refuse(name, "holds a number beyond float32");
    floats.push_back(number);
  }
  return floats;
}

std::vector<int64_t> Fields::shape(const char* name) const {
  const Napi::Array elements = array(name);
  std::vector<int64_t> shape;
  for (uint32_t i = 0; i < elements.Length(); ++i) shape.push_back(whole(name, elements.Get(i), 0, kMaxExtent));
  return shape;
}

Extent Fields::extent(const char* name, int64_t minimum) const {
  const Napi::Array elements = array(name);
  if (elements.Length() != 2) refuse(name, "wants height and width");
  return {whole(name, elements.Get(0u), minimum, kMaxExtent), whole(name, elements.Get(1u), minimum, kMaxExtent)};
}

Fields option_fields(const Napi::Value& value, const std::string& argument) {
  if (!value.IsObject()) throw invalid_argument(argument, "is not an object");
  return Fields(value.As<Napi::Object>(), invalid_argument);
}

int64_t to_integer(const Napi::Value& value, const std::string& argument, int64_t minimum, int64_t maximum) {
  return Fields({}, invalid_argument).whole(argument.c_str(), value, minimum, maximum);
}

}  // namespace dl::addon
