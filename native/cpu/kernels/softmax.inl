// Softmax, multinomial logistic loss and their gradient. Included by variant.cpp inside the variant's own namespace.

/// log(sum(exp(logits))) by way of the largest logit, which is returned, too; NaN if a logit is NaN.
struct LogSum {
  double largest, log_sum;
};

inline LogSum log_sum_exp(const float* logits, int64_t classes) {
  double largest = static_cast<double>(logits[0]), sum = 0;
  for (int64_t k = 1; k < classes; ++k) largest = std::max(largest, static_cast<double>(logits[k]));
  for (int64_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(logits[k]) - largest);
  return {largest, largest + std::log(sum)};
}

inline void softmax(int64_t images, int64_t classes, const float* logits, float* confidences) {
#pragma omp parallel for schedule(static)
  for (int64_t n = 0; n < images; ++n) {
    const float* row = logits + n * classes;
    const double log_sum = log_sum_exp(row, classes).log_sum;
    for (int64_t k = 0; k < classes; ++k) {
      confidences[n * classes + k] = static_cast<float>(std::exp(static_cast<double>(row[k]) - log_sum));
    }
  }
}

template <class T>
void softmax_loss(SoftmaxLoss<T>& job) {
  // One thread: the sum's order is fixed, and the work is small beside a single layer's.
  double loss = 0;
  int64_t errors = 0;
  for (int64_t n = 0; n < job.images; ++n) {
    const float* row = job.logits + n * job.classes;
    const int32_t label = job.labels[n];
    const LogSum sum = log_sum_exp(row, job.classes);
    const double class_weight = job.class_weights ? job.class_weights[label] : 1.0;
    loss += class_weight * (sum.log_sum - static_cast<double>(row[label]));
    errors += static_cast<double>(row[label]) < sum.largest ? 1 : 0;
    for (int64_t k = 0; k < job.classes; ++k) {
      const double confidence = std::exp(static_cast<double>(row[k]) - sum.log_sum);
      const double difference = confidence - (k == label ? 1.0 : 0.0);
      store(job.gradient[n * job.classes + k], static_cast<float>(class_weight * difference * job.gradient_scale));
    }
  }
  job.loss = loss;
  job.errors = errors;
}
