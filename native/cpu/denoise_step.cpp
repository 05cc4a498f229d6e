#include "ops/denoise_step.h"

#include <algorithm>

namespace sfumato::cpu {
namespace {

// Free positions in the order of their entropy, accepted while the sum of those before fits the
// bound.
void accept(const DenoiseStepArgs& a, std::span<int32_t> order) {
    std::sort(order.begin(), order.end(), [&](int32_t l, int32_t r) {
        const float left = a.entropy[static_cast<size_t>(l)],
                    right = a.entropy[static_cast<size_t>(r)];
        return left < right || (left == right && l < r);
    });
    std::fill(a.accepted.begin(), a.accepted.end(), uint8_t{0});
    double before = 0.0;
    for (int32_t position : order) {
        if (!(before <= static_cast<double>(a.entropy_bound))) break;
        a.accepted[static_cast<size_t>(position)] = 1;
        before += static_cast<double>(a.entropy[static_cast<size_t>(position)]);
    }
}

}  // namespace

void denoise_step(const Context& context, const DenoiseStepArgs& a) {
    Arena::Scope scope(context.scratch);
    const size_t canvas = a.canvas.size();
    auto* order = context.scratch.take<int32_t>(canvas);
    size_t open = 0;
    double total = 0.0;
    bool same = true;
    for (size_t i = 0; i < canvas; ++i) {
        if (a.pinned[i] >= 0) {
            a.argmax[i] = a.pinned[i];
            continue;
        }
        order[open++] = static_cast<int32_t>(i);
        total += static_cast<double>(a.entropy[i]);
        same = same && a.argmax[i] == a.previous_argmax[i];
    }
    accept(a, {order, open});
    for (size_t i = 0; i < canvas; ++i)
        a.canvas[i] = a.pinned[i] >= 0     ? a.pinned[i]
                      : a.accepted[i] != 0 ? a.sampled[i]
                                           : a.renoise[i];
    std::copy(a.argmax.begin(), a.argmax.end(), a.previous_argmax.begin());
    a.same_steps = same ? a.same_steps + 1 : 0;
    a.mean_entropy = open == 0 ? 0.0f : static_cast<float>(total / static_cast<double>(open));
    a.stable = a.same_steps >= a.stability_threshold;
    a.settled = a.stable && a.mean_entropy < a.confidence_threshold;
}

}  // namespace sfumato::cpu
