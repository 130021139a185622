#include "cuda/convolution/candidates.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>

#include "cuda/convolution/execution_plan.h"
#include "engine/error.h"

namespace dl::cuda {
namespace {

using Notes = std::vector<cudnnBackendNumericalNote_t>;

bool has(const Notes& notes, cudnnBackendNumericalNote_t note) {
  return std::find(notes.begin(), notes.end(), note) != notes.end();
}

/// Whether an engine with these notes may be used. cuDNN's compute type for float32 tensors is float32 in name only: what
/// computes in TF32 says that it uses tensor cores, what takes the inputs further down, to half precision and its range, that it
/// converts them.
bool allowed(const Notes& notes, const ConvolutionRules& rules) {
  if (has(notes, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION) || has(notes, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS))
    return false;
  if (rules.deterministic && has(notes, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)) return false;
  if (rules.precision != Precision::kFloat32) return true;
  // Large tiles of Winograd's and Fourier's transforms lose more digits than a sum in float32 does.
  return !has(notes, CUDNN_NUMERICAL_NOTE_TENSOR_CORE) && !has(notes, CUDNN_NUMERICAL_NOTE_FFT) &&
         !has(notes, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6) && !has(notes, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13);
}

std::optional<Candidate> candidate(const OperationGraph& graph, const Descriptor& configuration, const ConvolutionRules& rules,
                                   const Descriptor& device) {
  const auto engines = configuration.parts(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1);
  if (engines.empty()) return std::nullopt;
  const Notes notes = engines[0].numerical_notes(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE);
  if (!allowed(notes, rules)) return std::nullopt;
  Candidate candidate;
  candidate.tensor_cores = has(notes, CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  candidate.choice.engine = engines[0].integer(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  for (const Descriptor& knob :
       configuration.parts(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_KNOB_TYPE_COUNTS)) {
    candidate.choice.knobs.push_back({static_cast<int64_t>(knob.knob_type(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE)),
                                      knob.integer(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE)});
  }
  // The configuration tells a workspace, too, but cuDNN 9.24's plans may want more than that.
  const auto plan = ExecutionPlan::make(graph, candidate.choice, device);
  if (!plan) return std::nullopt;
  candidate.workspace_bytes = plan->workspace_bytes();
  return candidate;
}

void add_new(std::vector<Candidate>& found, const Candidate& next) {
  if (std::ranges::none_of(found, [&](const Candidate& other) { return other.choice == next.choice; })) found.push_back(next);
}

}  // namespace

size_t most_candidates() {
  constexpr const char* kName = "DL_CLASSIFIER_CONVOLUTION_CANDIDATES";
  const char* said = std::getenv(kName);
  if (said == nullptr || *said == '\0') return kMostCandidates;
  const std::string text = said;
  size_t most = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), most);
  if (error != std::errc{} || end != text.data() + text.size() || most < 1 || most > kMostCandidates) {
    throw Error(Reason::kInvalidArgument,
                std::string(kName) + " is '" + text + "'; give an integer from 1 to " + std::to_string(kMostCandidates),
                {{"argument", kName}});
  }
  return most;
}

std::vector<Candidate> candidates(const ConvolutionShape& shape, const ConvolutionRules& rules, const Descriptor& device,
                                  size_t most) {
  const OperationGraph graph(shape);
  std::vector<Candidate> found, greedy;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_B, CUDNN_HEUR_MODE_FALLBACK}) {
    if (mode == CUDNN_HEUR_MODE_FALLBACK && !(found.empty() && greedy.empty())) break;
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.descriptor());
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device);
    if (!heuristics.try_finalize()) continue;
    // Both heuristics are heard: A alone would often fill all places.
    const size_t places = mode == CUDNN_HEUR_MODE_A ? most / 2 : most;
    for (const Descriptor& configuration : heuristics.parts(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                                            heuristics.count(CUDNN_ATTR_ENGINEHEUR_RESULTS))) {
      if (found.size() == places) break;
      const std::optional<Candidate> next = candidate(graph, configuration, rules, device);
      if (!next) continue;
      if (next->workspace_bytes <= kMostWorkspaceBytes) {
        add_new(found, *next);
      } else if (next->tensor_cores && shape.groups == 1 && next->workspace_bytes <= kMostTensorCoreWorkspaceBytes) {
        add_new(greedy, *next);
      }
    }
  }
  if (std::ranges::none_of(found, &Candidate::tensor_cores)) found.insert(found.begin(), greedy.begin(), greedy.end());
  found.resize(std::min(found.size(), most));
  return found;
}

}  // namespace dl::cuda
