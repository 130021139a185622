#pragma once

#include <napi.h>

#include <vector>

#include "engine/graph.h"

namespace dl::addon {

/// A NetworkGraph of native/graph.ts as the engine's layers. Throws kInvalidGraph, with the layer's name in the metadata, for a
/// missing field or a wrong type; whether the layers fit together is Graph's to say.
std::vector<Layer> to_layers(const Napi::Value& graph);

/// An InputSize of native/binding.ts; throws kInvalidArgument.
ImageShape to_image_shape(const Napi::Value& input);

/// LayerInfo of native/binding.ts for every node.
Napi::Array layer_infos(Napi::Env env, const Graph& graph);

/// TensorInfo of native/binding.ts for every tensor.
Napi::Array tensor_infos(Napi::Env env, const Graph& graph);

}  // namespace dl::addon
