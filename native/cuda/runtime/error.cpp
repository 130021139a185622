#include "cuda/runtime/error.h"

#include <string>

namespace dl::cuda {

Reason reason_of(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return Reason::kOutOfMemory;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInvalidDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
      return Reason::kNoGpu;
#if CUDART_VERSION >= 13000
    case cudaErrorContained:
    case cudaErrorTensorMemoryLeak:
#endif
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorMpsConnectionFailed:
    case cudaErrorMpsRpcFailure:
    case cudaErrorMpsServerNotReady:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
    case cudaErrorUnknown:
      return Reason::kDeviceLost;
    default:
      return Reason::kInternal;
  }
}

cudaError_t failure_of_device() {
  const cudaError_t last = cudaPeekAtLastError();
  if (reason_of(last) == Reason::kDeviceLost) return last;
  size_t free = 0, total = 0;
  const cudaError_t answer = cudaMemGetInfo(&free, &total);
  if (reason_of(answer) == Reason::kDeviceLost) return answer;
  if (answer != cudaSuccess) cudaGetLastError();  // nobody has asked for it
  return last;
}

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // forgets an error that is not for ever
  const Reason reason = reason_of(error);
  const std::string said = std::string("CUDA, ") + what + ": " + cudaGetErrorName(error) + ", " + cudaGetErrorString(error);
  throw Error(reason, reason == Reason::kDeviceLost ? "the device is lost to this process: " + said : said);
}

}  // namespace dl::cuda
