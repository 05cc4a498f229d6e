// What becomes of a canvas after its logits are known (MODEL.md 3.1, 7.2).
//   In the order of entropy, a position is accepted while the entropies before it sum to at most
//   entropy_bound. Accepted positions take their sampled token, others a random one.
//   stable:  argmax equals that of the last stability_threshold steps
//   settled: stable, and mean entropy < confidence_threshold
// Pinned positions keep their token and count in none of this.
#pragma once

#include <span>

#include "ops/dispatch.h"

namespace sfumato {

struct DenoiseStepArgs {
    std::span<const float> entropy;    // [canvas]
    std::span<const int32_t> sampled;  // [canvas]
    std::span<const int32_t> renoise;  // [canvas], the random tokens
    std::span<const int32_t> pinned;   // [canvas], token or -1
    float entropy_bound;
    int stability_threshold;
    float confidence_threshold;
    std::span<int32_t> argmax;           // [canvas]; pinned tokens are put in
    std::span<int32_t> previous_argmax;  // [canvas], -1 at first; replaced by argmax
    int& same_steps;                     // steps before this one, without a gap, of equal argmax
    std::span<int32_t> canvas;           // [canvas], overwritten
    std::span<uint8_t> accepted;         // [canvas]
    float& mean_entropy;
    bool& stable;
    bool& settled;
};

namespace ops {
void denoise_step(const Context&, const DenoiseStepArgs&);
}
namespace cpu {
void denoise_step(const Context&, const DenoiseStepArgs&);
}
namespace cuda {
void denoise_step(const Context&, const DenoiseStepArgs&);
}

}  // namespace sfumato
