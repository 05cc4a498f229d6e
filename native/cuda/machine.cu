// What a GPU's memory gives when it is only read: the bound that a step is measured against.
#include "cuda/launch.cuh"
#include "ops/devices.h"

namespace sfumato::cuda {
namespace {

__global__ void read_all_kernel(const uint4* data, size_t count, unsigned* sink) {
    uint4 sum = {0, 0, 0, 0};
    const size_t step = static_cast<size_t>(gridDim.x) * blockDim.x;
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
         i += step) {
        const uint4 v = data[i];
        sum.x ^= v.x;
        sum.y ^= v.y;
        sum.z ^= v.z;
        sum.w ^= v.w;
    }
    if ((sum.x ^ sum.y ^ sum.z ^ sum.w) == 1) *sink = 1;  // never, but the compiler cannot know
}

}  // namespace

double read_speed(int gpu, size_t bytes) {
    Stream stream(gpu);
    const Buffer data = stream.allocate(bytes, "measuring the memory"),
                 sink = stream.allocate(4, "a result");
    const cudaStream_t order = stream.enter();
    CUDA_CHECK(cudaMemsetAsync(data.data(), 0, bytes, order));
    Threads threads(1);
    Arena scratch(stream);
    const Context context{.device = Device::cuda,
                          .compute = Compute::fast,
                          .threads = threads,
                          .scratch = scratch,
                          .stream = &stream};
    cudaEvent_t begin = nullptr, end = nullptr;
    CUDA_CHECK(cudaEventCreateWithFlags(&begin, 0));
    CUDA_CHECK(cudaEventCreateWithFlags(&end, 0));
    float best = 0.0f;
    for (int i = 0; i < 5; ++i) {
        CUDA_CHECK(cudaEventRecord(begin, order));
        launch(context,
               read_all_kernel,
               dim3(static_cast<unsigned>(16 * stream.processors())),
               dim3(256),
               0,
               reinterpret_cast<const uint4*>(data.data()),
               bytes / 16,
               reinterpret_cast<unsigned*>(sink.data()));
        CUDA_CHECK(cudaEventRecord(end, order));
        stream.wait();
        float ms = 0.0f;
        CUDA_CHECK(cudaEventElapsedTime(&ms, begin, end));
        best = i == 0 || ms < best ? ms : best;
    }
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    return static_cast<double>(bytes) / (static_cast<double>(best) * 1e-3);
}

}  // namespace sfumato::cuda
