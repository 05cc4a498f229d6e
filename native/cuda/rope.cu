// Norm of each head and rotary embedding: one warp a head, so that sums need no barrier.
#include "ops/rope.h"

#include "cuda/launch.cuh"

namespace sfumato::cuda {
namespace {

constexpr int warps = 4;

__global__ void rope_kernel(const float* x,
                            const float* weight,
                            const float* angles,
                            float eps,
                            int heads,
                            int head_dim,
                            int rows,
                            float* out) {
    const int index = blockIdx.x * warps + threadIdx.x / 32, lane = threadIdx.x % 32,
              half = head_dim / 2;
    if (index >= rows * heads) return;
    const float* from = x + static_cast<size_t>(index) * head_dim;
    float* to = out + static_cast<size_t>(index) * head_dim;
    float squares = 0.0f;
    for (int i = lane; i < head_dim; i += 32) squares += from[i] * from[i];
    const float factor = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(head_dim) + eps);
    const float* cosine =
        angles == nullptr ? nullptr : angles + static_cast<size_t>(index / heads) * head_dim;
    for (int i = lane; i < half; i += 32) {
        float left = from[i] * factor, right = from[i + half] * factor;
        if (weight != nullptr) {
            left *= weight[i];
            right *= weight[i + half];
        }
        if (cosine == nullptr) {
            to[i] = left;
            to[i + half] = right;
        } else {
            to[i] = left * cosine[i] - right * cosine[i + half];
            to[i + half] = right * cosine[i] + left * cosine[i + half];
        }
    }
}

__global__ void angles_kernel(
    int first_position, const float* frequencies, int rows, int half, float* out) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x, row = i / half, at = i % half;
    if (row >= rows) return;
    // Positions reach 262143: only the exact functions reduce such angles well enough.
    const float angle = static_cast<float>(first_position + row) * frequencies[at];
    out[static_cast<size_t>(row) * 2 * half + at] = cosf(angle);
    out[static_cast<size_t>(row) * 2 * half + half + at] = sinf(angle);
}

}  // namespace

void rope(const Context& context, const RopeArgs& a) {
    const int heads = a.x.width / a.head_dim;
    launch(context,
           rope_kernel,
           dim3(blocks(static_cast<size_t>(a.x.rows) * static_cast<size_t>(heads), warps)),
           dim3(32 * warps),
           0,
           a.x.data,
           a.weight,
           a.angles.data,
           a.eps,
           heads,
           a.head_dim,
           a.x.rows,
           a.out.data);
}

void angles(const Context& context, const AnglesArgs& a) {
    const int half = a.out.width / 2;
    launch(context,
           angles_kernel,
           dim3(blocks(static_cast<size_t>(a.out.rows) * static_cast<size_t>(half), 256)),
           dim3(256),
           0,
           a.first_position,
           a.frequencies,
           a.out.rows,
           half,
           a.out.data);
}

}  // namespace sfumato::cuda
