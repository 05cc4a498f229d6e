// Kernel launches, checked. Every CUDA source includes this file.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <string>

#include "core/error.h"

namespace sfumato::cuda {

#define CUDA_CHECK(call) ::sfumato::cuda::check_cuda((call), #call)

inline void check_cuda(cudaError_t status, const char* what) {
    if (status == cudaErrorMemoryAllocation) throw OutOfMemory(std::string("GPU memory ran out: ") + what);
    if (status != cudaSuccess)
        throw Error(std::string(what) + ": " + cudaGetErrorName(status) + ", " + cudaGetErrorString(status));
}

// Declares a kernel's dynamic shared memory.
#ifdef SFUMATO_CUDA_EMULATED
#define SFUMATO_DYNAMIC_SHARED(name) unsigned char* const name = ::sfumato::cuda::shared_memory
#else
#define SFUMATO_DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]
#endif

// Shared memory beyond 48 KiB has to be asked for, once a kernel.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
            Arguments&&... arguments) {
    if (shared_bytes > 48 * 1024)
        CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(shared_bytes)));
#ifdef SFUMATO_CUDA_EMULATED
    (void)stream;
    emulator::run(__PRETTY_FUNCTION__, grid, block, shared_bytes, [&] { kernel(Parameters(arguments)...); });
#else
    kernel<<<grid, block, shared_bytes, stream>>>(Parameters(arguments)...);
    CUDA_CHECK(cudaGetLastError());
#endif
}

}  // namespace sfumato::cuda
