#include "cuda/parameters.h"

#include <algorithm>

#include "cuda/runtime/error.h"

namespace dl::cuda {
namespace {

constexpr int64_t kScratchBytes = int64_t{8} << 20;

int64_t float_bytes(int64_t count) { return count * static_cast<int64_t>(sizeof(float)); }

int64_t value_bytes(const ParameterLayout& layout) { return float_bytes(layout.size()); }

int64_t moment_bytes(const ParameterLayout& layout, Solver solver) {
  return float_bytes(layout.trained_size()) * (solver == Solver::kAdam ? 2 : 1);
}

/// One filter must fit.
int64_t scratch_bytes(const std::vector<TensorOrder>& orders) {
  int64_t bytes = kScratchBytes;
  for (const TensorOrder& order : orders)
    if (order.positions > 1) bytes = std::max(bytes, float_bytes(order.filter_size()));
  return bytes;
}

}  // namespace

Parameters::Parameters(const Graph& graph, Solver solver, const Handles& handles, Transfer& transfer)
    : graph_(graph),
      handles_(handles),
      transfer_(transfer),
      layout_(graph),
      orders_(tensor_orders(graph)),
      solver_(solver),
      values_(value_bytes(layout_)),
      moments_(moment_bytes(layout_, solver)),
      scratch_(scratch_bytes(orders_)),
      updates_(graph.tensors().size()) {}

int64_t Parameters::bytes_of(const Graph& graph, Solver solver) {
  const ParameterLayout layout(graph);
  return value_bytes(layout) + moment_bytes(layout, solver) + scratch_bytes(tensor_orders(graph));
}

void Parameters::set_solver(Solver solver) {
  moments_ = DeviceMemory(moment_bytes(layout_, solver));
  updates_.assign(updates_.size(), 0.0f);
  solver_ = solver;
}

ModelMemory Parameters::memory() const {
  return {.values = values_.at<float>(0),
          .first_moments = moments_.at<float>(0),
          .second_moments = solver_ == Solver::kAdam ? moments_.at<float>(float_bytes(layout_.trained_size())) : nullptr,
          .solver = solver_};
}

float* Parameters::place(int tensor, TensorRole role) const {
  const ModelMemory memory = this->memory();
  float* array = !is_solver_role(role)               ? memory.values
                 : role == TensorRole::kSecondMoment ? memory.second_moments
                                                     : memory.first_moments;
  return array + layout_.offset(tensor);
}

template <class Move>
void Parameters::by_pieces(const TensorOrder& order, const Move& move) const {
  const int64_t most = order.positions == 1 ? order.filters : scratch_.bytes() / float_bytes(order.filter_size());
  for (int64_t first = 0; first < order.filters; first += most) move(first, std::min(most, order.filters - first));
}

std::vector<float> Parameters::read(int tensor, TensorRole role) const {
  const auto index = static_cast<size_t>(tensor);
  if (role == TensorRole::kUpdateCount) return {updates_[index]};
  std::vector<float> values(static_cast<size_t>(graph_.tensors()[index].size()));
  const TensorOrder& order = orders_[index];
  by_pieces(order, [&](int64_t first, int64_t filters) {
    const float* from = place(tensor, role) + first * order.filter_size();
    if (order.positions > 1) {
      check(permute_filters(handles_.launch(), filters, order.channels, order.positions, from, scratch_.at<float>(0), false),
            "reading a tensor");
      from = scratch_.at<float>(0);
    }
    transfer_.download(from, values.data() + first * order.filter_size(), float_bytes(filters * order.filter_size()),
                       handles_.compute());
  });
  return values;
}

void Parameters::write(int tensor, TensorRole role, const std::function<void(std::span<float>)>& fill) {
  const auto index = static_cast<size_t>(tensor);
  if (role == TensorRole::kUpdateCount) return fill(std::span(updates_).subspan(index, 1));
  std::vector<float> values(static_cast<size_t>(graph_.tensors()[index].size()));
  fill(values);
  const TensorOrder& order = orders_[index];
  by_pieces(order, [&](int64_t first, int64_t filters) {
    float* to = place(tensor, role) + first * order.filter_size();
    float* arrived = order.positions > 1 ? scratch_.at<float>(0) : to;
    transfer_.upload(values.data() + first * order.filter_size(), arrived, float_bytes(filters * order.filter_size()),
                     handles_.compute());
    if (order.positions == 1) return;
    check(permute_filters(handles_.launch(), filters, order.channels, order.positions, arrived, to, true), "writing a tensor");
  });
}

}  // namespace dl::cuda
