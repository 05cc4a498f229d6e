// Stands in for the CUDA runtime on the host; see README.md.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#define SFUMATO_CUDA_EMULATED 1

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __noinline__
#define __shared__ static
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define __grid_constant__

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#define SFUMATO_VECTORS(type, name)                                  \
    struct alignas(2 * sizeof(type)) name##2 { type x, y; };         \
    struct alignas(4 * sizeof(type)) name##4 { type x, y, z, w; };   \
    inline name##2 make_##name##2(type x, type y) { return {x, y}; } \
    inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
SFUMATO_VECTORS(int, int)
SFUMATO_VECTORS(unsigned, uint)
SFUMATO_VECTORS(float, float)
SFUMATO_VECTORS(signed char, char)
SFUMATO_VECTORS(unsigned char, uchar)
#undef SFUMATO_VECTORS

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

// What SFUMATO_DYNAMIC_SHARED of launch.cuh names.
namespace sfumato::cuda {
extern unsigned char shared_memory[];
}

namespace emulator {

// Runs one launch: every block in turn, every thread of it as a fiber.
void run(const char* kernel,
         dim3 grid,
         dim3 block,
         size_t shared_bytes,
         const std::function<void()>& thread);

// Waits for the other threads of the block, or for the lanes of `mask`.
void block_barrier();
void warp_barrier(unsigned mask);

// All lanes' values of one collective: out[lane] is what that lane gave, `bytes` each (at most 32).
void exchange(unsigned mask, const void* value, size_t bytes, const unsigned char* (&out)[32]);

int lane();

// cp.async: the copy is made at the wait that covers it.
void copy_async(void* shared, const void* global, int bytes, int source_bytes);
void copy_commit();
void copy_wait(int pending_groups);

[[noreturn]] void fail(const char* what);

template <class T>
T other_lane(unsigned mask, T value, int source) {
    const unsigned char* all[32];
    exchange(mask, &value, sizeof(T), all);
    if (source < 0 || source > 31 || !all[source]) return value;
    T result;
    std::memcpy(&result, all[source], sizeof(T));
    return result;
}

}  // namespace emulator

inline void __syncthreads() { emulator::block_barrier(); }
inline void __syncwarp(unsigned mask = ~0u) { emulator::warp_barrier(mask); }
inline void __threadfence() {}
inline void __threadfence_block() {}

template <class T>
T __shfl_sync(unsigned mask, T v, int source, int width = 32) {
    const int base = emulator::lane() / width * width;
    return emulator::other_lane(mask, v, base + (source & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32) {
    const int lane = emulator::lane(), source = lane ^ bits;
    return emulator::other_lane(mask, v, source / width == lane / width ? source : lane);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, int delta, int width = 32) {
    const int lane = emulator::lane(), source = lane + delta;
    return emulator::other_lane(mask, v, source / width == lane / width ? source : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, int delta, int width = 32) {
    const int lane = emulator::lane(), source = lane - delta;
    return emulator::other_lane(mask, v, source >= lane / width * width ? source : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    const unsigned char* all[32];
    emulator::exchange(mask, &predicate, sizeof predicate, all);
    unsigned bits = 0;
    for (int i = 0; i < 32; ++i) {
        int p = 0;
        if (all[i]) std::memcpy(&p, all[i], sizeof p);
        bits |= unsigned(p != 0) << i;
    }
    return bits;
}
inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }
template <class T, class F>
T emulated_reduce(unsigned mask, T v, F f) {
    const unsigned char* all[32];
    emulator::exchange(mask, &v, sizeof v, all);
    bool first = true;
    T result{};
    for (auto* p : all)
        if (p) {
            T x;
            std::memcpy(&x, p, sizeof x);
            result = first ? x : f(result, x);
            first = false;
        }
    return result;
}
inline int __reduce_add_sync(unsigned m, int v) {
    return emulated_reduce(m, v, [](int a, int b) { return a + b; });
}
inline unsigned __reduce_add_sync(unsigned m, unsigned v) {
    return emulated_reduce(m, v, [](unsigned a, unsigned b) { return a + b; });
}
inline int __reduce_max_sync(unsigned m, int v) {
    return emulated_reduce(m, v, [](int a, int b) { return std::max(a, b); });
}
inline unsigned __reduce_max_sync(unsigned m, unsigned v) {
    return emulated_reduce(m, v, [](unsigned a, unsigned b) { return std::max(a, b); });
}

// One thread runs at a time, so plain read-modify-write is atomic.
template <class T>
T atomicAdd(T* p, std::type_identity_t<T> v) {
    const T old = *p;
    *p = old + v;
    return old;
}
template <class T>
T atomicMax(T* p, std::type_identity_t<T> v) {
    const T old = *p;
    *p = std::max(old, v);
    return old;
}
template <class T>
T atomicExch(T* p, std::type_identity_t<T> v) {
    const T old = *p;
    *p = v;
    return old;
}
template <class T>
T atomicOr(T* p, std::type_identity_t<T> v) {
    const T old = *p;
    *p = old | v;
    return old;
}

template <class T>
T __ldg(const T* p) {
    return *p;
}
template <class T>
T __ldcs(const T* p) {
    return *p;
}
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline int __float2int_rn(float x) { return int(std::nearbyint(x)); }
inline float __int2float_rn(int x) { return float(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(unsigned x) { return std::countl_zero(x); }
inline int __ffs(unsigned x) { return x ? std::countr_zero(x) + 1 : 0; }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; ++i) c += int(int8_t(a >> (8 * i))) * int(int8_t(b >> (8 * i)));
    return c;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    const uint64_t both = uint64_t(b) << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i)
        result |= unsigned((both >> (8 * ((selector >> (4 * i)) & 7))) & 0xff) << (8 * i);
    return result;
}
inline unsigned __vsub4(unsigned a, unsigned b) {
    unsigned result = 0;
    for (int i = 0; i < 32; i += 8) result |= (((a >> i) - (b >> i)) & 0xff) << i;
    return result;
}
using std::max;
using std::min;

// Host side: memory and streams. What is asked of a stream is done when somebody waits for it, in
// any order that streams and events allow.
enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35
};
#define CUDART_VERSION 13000
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
enum { cudaHostAllocDefault = 0, cudaHostAllocPortable = 1, cudaHostAllocMapped = 2 };
using cudaStream_t = struct EmulatedStream*;
using cudaEvent_t = struct EmulatedEvent*;
struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlockOptin;
    int major, minor, multiProcessorCount, l2CacheSize;
};

cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaMemGetInfo(size_t* free, size_t* total);
cudaError_t cudaMalloc(void** p, size_t bytes);
template <class T>
cudaError_t cudaMalloc(T** p, size_t bytes) {
    return cudaMalloc(reinterpret_cast<void**>(p), bytes);
}
cudaError_t cudaFree(void* p);
cudaError_t cudaMallocHost(void** p, size_t bytes);
inline cudaError_t cudaHostAlloc(void** p, size_t bytes, unsigned) {
    return cudaMallocHost(p, bytes);
}
cudaError_t cudaFreeHost(void* p);
namespace emulator {
// Keeps it for the stream's turn.
void queue(cudaStream_t stream, std::function<void()> work);
}  // namespace emulator
inline cudaError_t cudaMemcpyAsync(
    void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
    emulator::queue(stream, [=] { std::memcpy(to, from, bytes); });
    return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
    emulator::queue(stream, [=] { std::memset(p, value, bytes); });
    return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, void (*work)(void*), void* data);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned);
cudaError_t cudaStreamDestroy(cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned);
cudaError_t cudaEventDestroy(cudaEvent_t);
cudaError_t cudaEventSynchronize(cudaEvent_t);
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t);
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned = 0);
inline cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t, cudaEvent_t) {
    *ms = 1.0f;  // there is no time here
    return cudaSuccess;
}

// A graph keeps what was asked of the captured stream, and of those that came in by its events, and
// does it again at each cudaGraphLaunch.
using cudaGraph_t = struct EmulatedGraph*;
using cudaGraphExec_t = struct EmulatedGraph*;
using cudaGraphNode_t = struct EmulatedGraph*;  // all that a graph captured
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned);
cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t,
                                          cudaGraph_t graph,
                                          const cudaGraphNode_t* dependencies,
                                          const void* dependency_data,
                                          size_t count,
                                          cudaStreamCaptureMode);
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable,
                                 cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t);
cudaError_t cudaGraphDestroy(cudaGraph_t);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);

// A conditional node: its body is done where the handle's value is not 0 when its turn comes.
using cudaGraphConditionalHandle = unsigned*;
enum cudaGraphNodeType { cudaGraphNodeTypeConditional = 13 };
enum cudaGraphConditionalNodeType { cudaGraphCondTypeIf = 0 };
enum { cudaGraphCondAssignDefault = 1 };
struct cudaConditionalNodeParams {
    cudaGraphConditionalHandle handle;
    cudaGraphConditionalNodeType type;
    unsigned size;
    cudaGraph_t* phGraph_out;
};
struct cudaGraphNodeParams {
    cudaGraphNodeType type;
    cudaConditionalNodeParams conditional;
};
cudaError_t cudaGraphConditionalHandleCreate(cudaGraphConditionalHandle* handle,
                                             cudaGraph_t graph,
                                             unsigned default_value,
                                             unsigned flags);
inline void cudaGraphSetConditional(cudaGraphConditionalHandle handle, unsigned value) {
    *handle = value;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count);
cudaError_t cudaGraphAddNode(cudaGraphNode_t* node,
                             cudaGraph_t graph,
                             const cudaGraphNode_t* dependencies,
                             const void* dependency_data,
                             size_t count,
                             cudaGraphNodeParams* params);

inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t e) {
    return e == cudaSuccess ? "no error" : "emulated error";
}
inline const char* cudaGetErrorName(cudaError_t e) { return cudaGetErrorString(e); }
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel, cudaFuncAttribute, int bytes) {
    return bytes <= 99 * 1024 ? cudaSuccess : cudaErrorInvalidValue;
}
