// Root mean square norm: one block a row, two passes over it; the second finds the row in the
// cache.
#include "ops/rms_norm.h"

#include "cuda/launch.cuh"

namespace sfumato::cuda {
namespace {

__global__ void rms_norm_kernel(const float* x,
                                const float* plus,
                                const float* weight,
                                const float* residual,
                                float scale,
                                float eps,
                                int width,
                                float* out) {
    __shared__ float shared[33];
    const size_t row = static_cast<size_t>(blockIdx.x) * width;
    const auto input = [&](int i) {
        return plus == nullptr ? x[row + i] : x[row + i] + plus[row + i];
    };
    float squares = 0.0f;
    for (int i = threadIdx.x; i < width; i += blockDim.x) squares += input(i) * input(i);
    const float factor = 1.0f / sqrtf(block_sum(squares, shared) / static_cast<float>(width) + eps);
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float n = input(i) * factor;
        if (weight != nullptr) n *= weight[i];
        out[row + i] = (residual == nullptr ? n : residual[row + i] + n) * scale;
    }
}

}  // namespace

void rms_norm(const Context& context, const RmsNormArgs& a) {
    launch(context,
           rms_norm_kernel,
           dim3(static_cast<unsigned>(a.x.rows)),
           dim3(256),
           0,
           a.x.data,
           a.plus.data,
           a.weight,
           a.residual.data,
           a.scale,
           a.eps,
           a.x.width,
           a.out.data);
}

}  // namespace sfumato::cuda
