#include "cuda/kernels/arithmetic/element.h"
#include "cuda/kernels/arithmetic/log_sum.h"
#include "cuda/kernels/launch.h"

namespace dl::cuda {
namespace {

struct ConfidenceProgram {
  static constexpr int kThreads = LogSum::kThreads;
  static constexpr int kBlocks = 1;
  static constexpr int kPhases = 3;
  using Shared = LogSum::Shared;
  using State = Nothing;

  int64_t classes;
  const float* logits;
  float* confidences;

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared& shared, State&) const {
    const float* row = logits + place.block * classes;
    if constexpr (kPhase == 0) LogSum::find_largest(row, classes, place.thread, shared);
    if constexpr (kPhase == 1) LogSum::sum_up(row, classes, place.thread, shared);
    if constexpr (kPhase == 2) {
      const double log_sum = LogSum(shared).log_sum;
      for (int64_t k = place.thread; k < classes; k += kThreads) {
        confidences[place.block * classes + k] = static_cast<float>(exp(static_cast<double>(row[k]) - log_sum));
      }
    }
  }
};

/// An image is a block's; the last block adds the images up.
template <class T>
struct LossProgram {
  static constexpr int kThreads = LogSum::kThreads;
  static constexpr int kBlocks = 1;
  static constexpr int kPhases = 5;
  using State = Nothing;
  struct Shared {
    LogSum::Shared log_sum;
    double losses[kThreads];
    int64_t errors[kThreads];
    bool last;
  };

  SoftmaxLoss<T> job;
  double* losses;   // (images)
  int64_t* errors;  // (images)

  template <int kPhase>
  DL_HOST_DEVICE void phase(const Place& place, Shared& shared, State&) const {
    const int64_t image = place.block;
    const float* row = job.logits + image * job.classes;
    if constexpr (kPhase == 0) LogSum::find_largest(row, job.classes, place.thread, shared.log_sum);
    if constexpr (kPhase == 1) LogSum::sum_up(row, job.classes, place.thread, shared.log_sum);
    if constexpr (kPhase == 2) {
      const LogSum sum(shared.log_sum);
      const int32_t label = job.labels[image];
      const double class_weight = job.class_weights == nullptr ? 1.0 : job.class_weights[label];
      const double scale = class_weight / static_cast<double>(job.inputs->rule.images);
      for (int64_t k = place.thread; k < job.classes; k += kThreads) {
        const double confidence = exp(static_cast<double>(row[k]) - sum.log_sum);
        store(job.gradient[image * job.classes + k], static_cast<float>((confidence - (k == label ? 1.0 : 0.0)) * scale));
      }
      if (place.thread != 0) return;
      const auto logit = static_cast<double>(row[label]);
      losses[image] = class_weight * (sum.log_sum - logit);
      errors[image] = logit < sum.largest ? 1 : 0;
      publish();
      shared.last = last_of(job.scratch.counters, static_cast<uint32_t>(job.images));
    }
    if constexpr (kPhase == 3) {
      if (!shared.last) return;
      double loss = 0;
      int64_t wrong = 0;
      for (int64_t i = place.thread; i < job.images; i += kThreads) {
        loss += load_published(losses + i);
        wrong += load_published(errors + i);
      }
      shared.losses[place.thread] = loss;
      shared.errors[place.thread] = wrong;
    }
    if constexpr (kPhase == 4) {
      if (!shared.last || place.thread != 0) return;
      StepSums& sums = job.report->sums;
      const bool accumulate = job.inputs->accumulate != 0;
      double loss = accumulate ? sums.loss : 0;
      int64_t wrong = accumulate ? sums.errors : 0;
      for (int i = 0; i < kThreads; ++i) {
        loss += shared.losses[i];
        wrong += shared.errors[i];
      }
      sums.loss = loss;
      sums.errors = wrong;
    }
  }
};

}  // namespace

cudaError_t softmax(const Launch& on, int64_t images, int64_t classes, const float* logits, float* confidences) {
  return launch(on, images, ConfidenceProgram{classes, logits, confidences});
}

template <class T>
cudaError_t softmax_loss(const Launch& on, const SoftmaxLoss<T>& job) {
  auto* losses = static_cast<double*>(job.scratch.partial);
  return launch(on, job.images, LossProgram<T>{job, losses, reinterpret_cast<int64_t*>(losses + job.images)});
}

template cudaError_t softmax_loss(const Launch&, const SoftmaxLoss<float>&);
template cudaError_t softmax_loss(const Launch&, const SoftmaxLoss<Bfloat16>&);

ReductionSize loss_reduction_size(int64_t images) { return {images * static_cast<int64_t>(sizeof(double) + sizeof(int64_t)), 1}; }

}  // namespace dl::cuda
