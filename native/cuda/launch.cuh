// Kernel launches, checked. Every CUDA source includes this file.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <string>
#include <utility>

#include "ops/dispatch.h"

namespace sfumato::cuda {

#define CUDA_CHECK(call) ::sfumato::cuda::check_cuda((call), #call)

inline void check_cuda(cudaError_t status, const char* what) {
    if (status == cudaErrorMemoryAllocation)
        throw OutOfMemory(std::string("GPU memory ran out: ") + what);
    if (status != cudaSuccess)
        throw Error(std::string(what) + ": " + cudaGetErrorName(status) + ", " +
                    cudaGetErrorString(status));
}

// One device, one order, and beside it copies and work of the host.
class Stream final : public ::sfumato::Stream {
  public:
    explicit Stream(int device);
    ~Stream() override;

    Buffer allocate(size_t bytes, const char* purpose) override;
    Buffer allocate_shared(size_t bytes, const char* purpose) override;
    void copy(void* to, const void* from, size_t bytes) override;
    void wait() override;
    void prefetch(int slot, void* to, const void* from, size_t bytes) override;
    void arrive(int slot) override;
    void mark(int slot) override;
    void wait_for(int slot) override;
    size_t free_memory() override;
    Overhead overhead() const override;
    void repeat(std::unique_ptr<Recording>& recording,
                const bool* unless,
                const std::function<void()>& work) override;
    bool skips_recordings() const override { return true; }

    // Work of the host beside operations: begins when all that was asked for before is done. What
    // is asked for after join_host() begins when the work is done. It asks nothing of the device
    // and does not throw; `data` lives as long as it may be repeated.
    void call_host(void (*work)(void*), void* data);
    void join_host();

    // The device becomes that of the calling thread.
    cudaStream_t enter() {
        CUDA_CHECK(cudaSetDevice(device_));
        return stream_;
    }
    int processors() const { return processors_; }
    size_t shared_limit() const { return shared_limit_; }  // of a block, in bytes

  private:
    int device_;
    int processors_ = 0;
    size_t shared_limit_ = 0;
    cudaStream_t stream_ = nullptr, copies_ = nullptr, host_ = nullptr;
    cudaEvent_t free_[slots] = {}, filled_[slots] = {};  // of each slot's memory
    cudaEvent_t marked_[slots] = {};
    cudaEvent_t asked_ = nullptr, answered_ = nullptr;  // of the host
};

inline Stream& stream_of(const Context& context) { return static_cast<Stream&>(*context.stream); }

// Declares a kernel's dynamic shared memory.
#ifdef SFUMATO_CUDA_EMULATED
#define SFUMATO_DYNAMIC_SHARED(name) unsigned char* const name = ::sfumato::cuda::shared_memory
#else
#define SFUMATO_DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]
#endif

template <class... Parameters, class... Arguments>
void launch(Stream& stream,
            void (*kernel)(Parameters...),
            dim3 grid,
            dim3 block,
            size_t shared_bytes,
            Arguments&&... arguments) {
    if (stream.measuring || grid.x == 0 || grid.y == 0 || grid.z == 0) return;
    const cudaStream_t order = stream.enter();
    // Shared memory beyond 48 KiB has to be asked for.
    if (shared_bytes > 48 * 1024)
        CUDA_CHECK(cudaFuncSetAttribute(
            kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
#ifdef SFUMATO_CUDA_EMULATED
    emulator::queue(order, [=] {
        emulator::run(__PRETTY_FUNCTION__, grid, block, shared_bytes, [=] {
            kernel(Parameters(arguments)...);
        });
    });
#else
    // clang-format off
    kernel<<<grid, block, shared_bytes, order>>>(Parameters(arguments)...);
    // clang-format on
    CUDA_CHECK(cudaGetLastError());
#endif
}

template <class... Parameters, class... Arguments>
void launch(const Context& context,
            void (*kernel)(Parameters...),
            dim3 grid,
            dim3 block,
            size_t shared_bytes,
            Arguments&&... arguments) {
    launch(stream_of(context),
           kernel,
           grid,
           block,
           shared_bytes,
           std::forward<Arguments>(arguments)...);
}

inline unsigned blocks(size_t items, size_t each) {
    return static_cast<unsigned>((items + each - 1) / each);
}

// Sum or maximum over a warp, in every lane.
__device__ __forceinline__ float warp_sum(float v) {
    for (int bits = 16; bits > 0; bits /= 2) v += __shfl_xor_sync(~0u, v, bits);
    return v;
}
__device__ __forceinline__ float warp_max(float v) {
    for (int bits = 16; bits > 0; bits /= 2) v = fmaxf(v, __shfl_xor_sync(~0u, v, bits));
    return v;
}

// Sum over a block of whole warps, in every thread. `shared`: 33 floats, free again after the next
// barrier.
__device__ __forceinline__ float block_sum(float v, float* shared) {
    v = warp_sum(v);
    const int warp = threadIdx.x / 32, warps = blockDim.x / 32;
    if (threadIdx.x % 32 == 0) shared[warp] = v;
    __syncthreads();
    if (threadIdx.x == 0) {
        float total = 0.0f;
        for (int i = 0; i < warps; ++i) total += shared[i];
        shared[32] = total;
    }
    __syncthreads();
    return shared[32];
}

}  // namespace sfumato::cuda
