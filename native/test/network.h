#pragma once

#include <string>
#include <vector>

#include "engine/graph.h"

namespace dl::test {

/// Writes a network down layer by layer. Names are kind and position, for instance `convolution3`.
class Network {
 public:
  /// Begins with an input layer that brings -127..128 to about -2..2, a little different for each channel.
  explicit Network(int64_t channels);

  /// Adds a layer that reads the last one.
  Network& then(const LayerKind& kind) { return join(kind, {last()}); }
  /// Adds a layer that reads the layers named.
  Network& join(const LayerKind& kind, const std::vector<std::string>& inputs);
  /// Adds a layer that reads the layer named.
  Network& from(const std::string& input, const LayerKind& kind) { return join(kind, {input}); }
  /// Ends with global average pooling, a fully connected layer and softmax.
  std::vector<Layer> classify(int64_t classes);
  /// Ends with a fully connected layer over all of the last activation and softmax.
  std::vector<Layer> classify_flat(int64_t classes, bool bias = true);

  /// Name of the layer added last.
  const std::string& last() const { return layers_.back().name; }
  const std::vector<Layer>& layers() const { return layers_; }

 private:
  std::vector<Layer> layers_;
};

/// A square convolution.
Convolution convolution(int64_t out_channels, int64_t kernel = 3, int64_t stride = 1, int64_t padding = 1, int64_t groups = 1,
                        bool bias = false);

/// A square pooling layer.
Pool pool(Pool::Kind kind, int64_t kernel, int64_t stride, int64_t padding = 0, bool ceil_mode = false,
          bool count_include_pad = true);

/// For the training rule's tests: two convolutions, one with batch norm, one with a bias, for colour images and 4 classes.
std::vector<Layer> small_network();

}  // namespace dl::test
