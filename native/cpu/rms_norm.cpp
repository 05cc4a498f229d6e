#include "ops/rms_norm.h"

#include <cmath>

#include "core/op_times.h"
#include "cpu/vector_math.h"

namespace sfumato::cpu {
namespace {

void norm_row(const RmsNormArgs& a, int r, float* sum) {
    const float* x = a.x.row(r);
    const int width = a.x.width;
    if (a.plus.data != nullptr) {
        const float* plus = a.plus.row(r);
        for (int i = 0; i < width; ++i) sum[i] = x[i] + plus[i];
        x = sum;
    }
    const float factor = 1.0f / std::sqrt(dot(x, x, width) / static_cast<float>(width) + a.eps);
    float* out = a.out.row(r);
    if (a.weight != nullptr)
        for (int i = 0; i < width; ++i) sum[i] = x[i] * factor * a.weight[i];
    else
        for (int i = 0; i < width; ++i) sum[i] = x[i] * factor;
    if (a.residual.data != nullptr) {
        const float* residual = a.residual.row(r);
        for (int i = 0; i < width; ++i) out[i] = (residual[i] + sum[i]) * a.scale;
    } else {
        for (int i = 0; i < width; ++i) out[i] = sum[i] * a.scale;
    }
}

}  // namespace

void rms_norm(const Context& context, const RmsNormArgs& a) {
    const OpTimer timer("rms_norm");
    Arena::Scope scope(context.scratch);
    const View<float> sums = context.scratch.take<float>(context.threads.count(), a.x.width);
    context.threads.run_range(a.x.rows, 8, [&](int begin, int end, int worker) {
        for (int r = begin; r < end; ++r) norm_row(a, r, sums.row(worker));
    });
}

}  // namespace sfumato::cpu
