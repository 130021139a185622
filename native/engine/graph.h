#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dl {

/// Height and width.
using Extent = std::array<int64_t, 2>;

/// Shape of one image's activation.
struct ImageShape {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;

  int64_t size() const { return channels * height * width; }
  bool operator==(const ImageShape&) const = default;
};

// The kinds of layers; native/graph.ts says what each computes.

struct Input {
  std::vector<float> scale;  // (channels)
  std::vector<float> shift;  // (channels)
};

struct Convolution {
  int64_t out_channels = 0;
  Extent kernel{1, 1};
  Extent stride{1, 1};
  Extent padding{0, 0};
  int64_t groups = 1;
  bool bias = false;
};

struct BatchNorm {
  double epsilon = 1e-5;
  double momentum = 0.1;
};

struct Relu {
  std::optional<double> max;
};

struct Add {};

struct Concat {};

struct Pool {
  enum class Kind { kMax, kAverage };
  Kind kind = Kind::kMax;
  Extent kernel{1, 1};
  Extent stride{1, 1};
  Extent padding{0, 0};
  bool ceil_mode = false;
  bool count_include_pad = true;  // average only
};

struct GlobalAveragePool {};

struct Dropout {
  double probability = 0.5;
};

struct FullyConnected {
  int64_t out_features = 0;
  bool bias = true;
};

struct Softmax {};

using LayerKind =
    std::variant<Input, Convolution, BatchNorm, Relu, Add, Concat, Pool, GlobalAveragePool, Dropout, FullyConnected, Softmax>;

/// A layer as it is written down: its inputs by name.
struct Layer {
  std::string name;
  LayerKind kind;
  std::vector<std::string> inputs;
};

/// weight: regularised by the weight prior. bias: a bias or a batch norm's scale or shift. statistic: not trained. The others are
/// parts of a solver's state (engine/solver.h) and no tensors of the graph.
enum class TensorRole { kWeight, kBias, kStatistic, kMomentum, kFirstMoment, kSecondMoment, kUpdateCount };

/// A tensor that belongs to a layer and outlives the step.
struct TensorInfo {
  std::string name;   // as torchvision has it: `<layer>.weight`
  std::string layer;  // name of the layer
  TensorRole role = TensorRole::kWeight;
  std::vector<int64_t> shape;

  int64_t size() const;
};

/// A checked network with shapes for one image size: node i reads only nodes before i.
class Graph {
 public:
  struct Node {
    std::string name;
    LayerKind kind;
    std::vector<int> inputs;     // indices of nodes
    ImageShape shape;            // of the output, one image
    std::vector<int> consumers;  // indices of nodes that read the output
    std::vector<int> tensors;    // indices into tensors()
  };

  /// Throws kInvalidGraph, with `layer` in the metadata, where names, shapes or sizes do not fit together.
  Graph(const std::vector<Layer>& layers, ImageShape input);

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  ImageShape input() const { return nodes_.front().shape; }
  int64_t classes() const { return nodes_.back().shape.channels; }
  /// Number of values that training changes.
  int64_t parameter_count() const;

 private:
  std::vector<Node> nodes_;
  std::vector<TensorInfo> tensors_;
};

/// For instance "batch_norm"; the names of native/graph.ts.
const char* kind_name(const LayerKind& kind);

/// Output size of a convolution or a pooling window along one axis. With ceil_mode the last window must start inside the input or
/// its left padding, as in PyTorch.
int64_t window_output_size(int64_t input, int64_t kernel, int64_t stride, int64_t padding, bool ceil_mode);

}  // namespace dl
