#include "ops/rope.h"

#include <cmath>

#include "core/op_times.h"
#include "cpu/vector_math.h"

namespace sfumato::cpu {
namespace {

void one_head(const RopeArgs& a, const float* x, const float* angles, float* out) {
    const int d = a.head_dim, half = d / 2;
    const float factor = 1.0f / std::sqrt(dot(x, x, d) / static_cast<float>(d) + a.eps);
    if (a.weight != nullptr)
        for (int i = 0; i < d; ++i) out[i] = x[i] * factor * a.weight[i];
    else
        for (int i = 0; i < d; ++i) out[i] = x[i] * factor;
    if (angles == nullptr) return;
    const float *cosine = angles, *sine = angles + half;
    for (int i = 0; i < half; ++i) {
        const float left = out[i], right = out[i + half];
        out[i] = left * cosine[i] - right * sine[i];
        out[i + half] = right * cosine[i] + left * sine[i];
    }
}

}  // namespace

void rope(const Context& context, const RopeArgs& a) {
    const OpTimer timer("rope");
    context.threads.run_range(a.x.rows, 4, [&](int begin, int end, int) {
        for (int r = begin; r < end; ++r) {
            const float* angles = a.angles.data == nullptr ? nullptr : a.angles.row(r);
            for (int head = 0; head < a.x.width; head += a.head_dim)
                one_head(a, a.x.row(r) + head, angles, a.out.row(r) + head);
        }
    });
}

void angles(const Context& context, const AnglesArgs& a) {
    const int half = a.out.width / 2;
    context.threads.run_range(a.out.rows, 4, [&](int begin, int end, int) {
        for (int r = begin; r < end; ++r) {
            float* out = a.out.row(r);
            for (int i = 0; i < half; ++i) {
                const float angle = static_cast<float>(a.first_position + r) * a.frequencies[i];
                out[i] = std::cos(angle);
                out[i + half] = std::sin(angle);
            }
        }
    });
}

}  // namespace sfumato::cpu
