#include "ops/denoise_step.h"

namespace sfumato::ops {

void denoise_step(const Context& context, const DenoiseStepArgs& a) {
    const size_t n = a.canvas.size();
    check(a.entropy.size() == n && a.sampled.size() == n && a.renoise.size() == n &&
              a.pinned.size() == n && a.argmax.size() == n && a.previous_argmax.size() == n &&
              a.accepted.size() == n,
          "denoise_step: arrays do not all have the canvas's ",
          n,
          " positions");
    SFUMATO_DISPATCH(context, denoise_step(context, a));
}

}  // namespace sfumato::ops
