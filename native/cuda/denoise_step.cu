// What becomes of a canvas: one block, a thread a position. The two sums over positions are taken
// by one thread in the order of the CPU, so that both accept the same.
#include "ops/denoise_step.h"

#include <bit>

#include "cuda/launch.cuh"

namespace sfumato::cuda {
namespace {

constexpr int most = 1024;  // positions

struct Problem {
    const float* entropy;
    const int32_t *sampled, *renoise, *pinned;
    int canvas, sorted;  // sorted: the next power of two
    float entropy_bound;
    int stability_threshold;
    float confidence_threshold;
    int32_t *argmax, *previous_argmax;
    int* same_steps;
    int32_t* tokens;
    uint8_t* accepted;
    float* mean_entropy;
    bool *stable, *settled;
};

__global__ void __launch_bounds__(most) denoise_step_kernel(Problem p) {
    __shared__ float entropy[most];
    __shared__ int position[most];
    __shared__ bool taken[most];
    __shared__ int open, differ;
    const int i = threadIdx.x;
    const int pin = i < p.canvas ? p.pinned[i] : 0;
    const bool is_open = i < p.canvas && pin < 0;
    if (i == 0) open = differ = 0;
    entropy[i] = is_open ? p.entropy[i] : INFINITY;  // what is pinned sorts to the end
    position[i] = is_open ? i : p.sorted + i;
    taken[i] = false;
    __syncthreads();
    if (is_open) atomicAdd(&open, 1);
    if (is_open && p.argmax[i] != p.previous_argmax[i]) atomicAdd(&differ, 1);

    // Bitonic sort by (entropy, position).
    for (int size = 2; size <= p.sorted; size *= 2)
        for (int distance = size / 2; distance > 0; distance /= 2) {
            __syncthreads();
            const int other = i ^ distance;
            if (other <= i) continue;
            const bool rising = (i & size) == 0;
            const bool greater = entropy[i] > entropy[other] ||
                                 (entropy[i] == entropy[other] && position[i] > position[other]);
            if (greater == rising) {
                const float e = entropy[i];
                const int at = position[i];
                entropy[i] = entropy[other];
                position[i] = position[other];
                entropy[other] = e;
                position[other] = at;
            }
        }
    __syncthreads();

    if (i == 0) {
        double before = 0.0, total = 0.0;
        for (int k = 0; k < open; ++k) {
            if (!(before <= static_cast<double>(p.entropy_bound))) break;
            if (position[k] < p.canvas) taken[position[k]] = true;  // else no number was among them
            before += static_cast<double>(entropy[k]);
        }
        for (int k = 0; k < p.canvas; ++k)
            if (p.pinned[k] < 0) total += static_cast<double>(p.entropy[k]);
        const int same_steps = differ == 0 ? *p.same_steps + 1 : 0;
        const float mean = open == 0 ? 0.0f : static_cast<float>(total / open);
        *p.same_steps = same_steps;
        *p.mean_entropy = mean;
        *p.stable = same_steps >= p.stability_threshold;
        *p.settled = same_steps >= p.stability_threshold && mean < p.confidence_threshold;
    }
    __syncthreads();
    if (i >= p.canvas) return;
    p.accepted[i] = taken[i] ? 1 : 0;
    p.tokens[i] = pin >= 0 ? pin : taken[i] ? p.sampled[i] : p.renoise[i];
    const int argmax = pin >= 0 ? pin : p.argmax[i];
    p.argmax[i] = argmax;
    p.previous_argmax[i] = argmax;
}

}  // namespace

void denoise_step(const Context& context, const DenoiseStepArgs& a) {
    const int canvas = static_cast<int>(a.canvas.size());
    check(canvas <= most, "denoise_step: a canvas of ", canvas, " tokens, a GPU takes ", most);
    const auto sorted = static_cast<int>(std::bit_ceil(static_cast<unsigned>(canvas)));
    const Problem p{.entropy = a.entropy.data(),
                    .sampled = a.sampled.data(),
                    .renoise = a.renoise.data(),
                    .pinned = a.pinned.data(),
                    .canvas = canvas,
                    .sorted = sorted,
                    .entropy_bound = a.entropy_bound,
                    .stability_threshold = a.stability_threshold,
                    .confidence_threshold = a.confidence_threshold,
                    .argmax = a.argmax.data(),
                    .previous_argmax = a.previous_argmax.data(),
                    .same_steps = &a.same_steps,
                    .tokens = a.canvas.data(),
                    .accepted = a.accepted.data(),
                    .mean_entropy = &a.mean_entropy,
                    .stable = &a.stable,
                    .settled = &a.settled};
    launch(context, denoise_step_kernel, dim3(1), dim3(static_cast<unsigned>(sorted)), 0, p);
}

}  // namespace sfumato::cuda
