#include "addon/options.h"

#include "addon/error.h"
#include "addon/fields.h"

namespace dl::addon {
namespace {

Precision to_precision(const Fields& fields) {
  const std::string name = fields.string("precision");
  for (const Precision precision : {Precision::kFloat32, Precision::kTf32, Precision::kBfloat16}) {
    if (name == precision_name(precision)) return precision;
  }
  fields.refuse("precision", "'" + name + "' is none of float32, tf32, bfloat16");
}

PlanOptions to_plan_options(const Fields& fields) {
  return {fields.integer("batchSize", 1, kMaxExtent), to_precision(fields), fields.boolean("deterministic"),
          fields.strings("frozenLayers")};
}

/// The largest integer that a JavaScript number counts to.
constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;

}  // namespace

PlanOptions to_plan_options(const Napi::Value& options) { return to_plan_options(option_fields(options, "options")); }

TrainOptions to_train_options(const Napi::Value& options) {
  const Fields fields = option_fields(options, "options");
  return {.plan = to_plan_options(fields),
          .batch_size_multiplier = fields.integer("batchSizeMultiplier", 1, kMaxExtent),
          .learning_rate = fields.number("learningRate"),
          .momentum = fields.number("momentum"),
          .weight_prior = fields.number("weightPrior"),
          .step = static_cast<uint64_t>(fields.integer("step", 0, kMaxSafeInteger)),
          .weight_decay = fields.number("weightDecay"),
          .adam_beta1 = fields.number("adamBeta1"),
          .adam_beta2 = fields.number("adamBeta2"),
          .adam_epsilon = fields.number("adamEpsilon"),
          .max_gradient_norm = fields.number("maxGradientNorm"),
          .class_weights = fields.numbers("classWeights")};
}

Solver to_solver(const Napi::Value& solver) {
  const std::string name = solver.IsString() ? solver.As<Napi::String>().Utf8Value() : "";
  if (name == "sgd") return Solver::kSgd;
  if (name == "adam") return Solver::kAdam;
  throw invalid_argument("solver", "is none of sgd, adam");
}

uint64_t to_seed(const Napi::Value& seed) {
  if (!seed.IsBigInt()) throw invalid_argument("seed", "is not a bigint");
  bool lossless = false;
  const uint64_t value = seed.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw invalid_argument("seed", "must lie in 0..2^64 - 1");
  return value;
}

std::vector<int32_t> to_labels(const Napi::Value& labels, int64_t count) {
  if (!labels.IsTypedArray() || labels.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw invalid_argument("labels", "is not an Int32Array");
  }
  const auto values = labels.As<Napi::Int32Array>();
  const size_t length = values.ElementLength();
  if (static_cast<int64_t>(length) != count) {
    throw invalid_argument("labels", std::to_string(length) + " labels for " + std::to_string(count) + " images");
  }
  return {values.Data(), values.Data() + length};
}

ReshapeOptions to_reshape_options(const Napi::Value& value) {
  const Fields fields = option_fields(value, "options");
  ReshapeOptions options{.reinitialize = fields.strings("reinitialize"), .seed = to_seed(fields.value("seed"))};
  if (const Napi::Value solver = fields.value("solver"); !solver.IsNull()) options.solver = to_solver(solver);
  if (const Napi::Value plan = fields.value("plan"); !plan.IsNull()) options.plan = to_plan_options(plan);
  return options;
}

Napi::Array to_js_strings(Napi::Env env, const std::vector<std::string>& strings) {
  Napi::Array array = Napi::Array::New(env, strings.size());
  for (uint32_t i = 0; i < array.Length(); ++i) array.Set(i, strings[i]);
  return array;
}

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFloat32:
      return "float32";
    case Precision::kTf32:
      return "tf32";
    case Precision::kBfloat16:
      return "bfloat16";
  }
  return "";
}

}  // namespace dl::addon
