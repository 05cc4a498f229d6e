// Root mean square norm with what surrounds it in a layer (MODEL.md 2.1, 2.3).
//   s   = x + plus                       plus: optional
//   n   = s · (mean(s²) + eps)^-½ · weight    weight: optional, used as stored
//   out = (residual + n) · scale         residual: optional
#pragma once

#include "ops/dispatch.h"

namespace sfumato {

struct RmsNormArgs {
    View<const float> x;  // [rows, width]
    View<const float> plus = {};
    const float* weight = nullptr;  // [width]
    View<const float> residual = {};
    float scale = 1.0f;
    float eps = 0.0f;
    View<float> out;  // [rows, width], may be one of the inputs
};

namespace ops {
void rms_norm(const Context&, const RmsNormArgs&);
}
namespace cpu {
void rms_norm(const Context&, const RmsNormArgs&);
}
namespace cuda {
void rms_norm(const Context&, const RmsNormArgs&);
}

}  // namespace sfumato
