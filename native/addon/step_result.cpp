#include "addon/step_result.h"

namespace dl::addon {

Napi::Value to_js_step_result(Napi::Env env, const TimedStep& step) {
  const StepResult& result = step.result;
  Napi::Object object = Napi::Object::New(env);
  object.Set("loss", result.loss);
  object.Set("lossMultinomialLogistic", result.loss_multinomial_logistic);
  object.Set("lossRegularization", result.loss_regularization);
  object.Set("gradientNorm", result.gradient_norm);
  object.Set("top1Error", result.top1_error);
  object.Set("queueSeconds", step.queue_seconds);
  object.Set("forwardSeconds", result.forward_seconds);
  object.Set("backwardSeconds", result.backward_seconds);
  object.Set("updateSeconds", result.update_seconds);
  return object;
}

Napi::Value to_js_profile(Napi::Env env, const StepProfile& profile) {
  Napi::Array layers = Napi::Array::New(env, profile.layers.size());
  for (uint32_t i = 0; i < layers.Length(); ++i) {
    const LayerSeconds& seconds = profile.layers[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("layer", seconds.layer);
    object.Set("forward", seconds.forward);
    object.Set("weights", seconds.weights);
    object.Set("backward", seconds.backward);
    layers.Set(i, object);
  }
  return layers;
}

Napi::Value to_js_memory_plan(Napi::Env env, const MemoryPlan& plan) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("parameterBytes", static_cast<double>(plan.parameter_bytes));
  object.Set("trainingBytes", static_cast<double>(plan.training_bytes));
  object.Set("inferenceBytes", static_cast<double>(plan.inference_bytes));
  return object;
}

}  // namespace dl::addon
