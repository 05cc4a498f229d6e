// Until the fast products exist: the reference, with activations rounded as the fast ones will have them.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/gemm_reference.h"

namespace sfumato::cpu {

void quantize_rows(const float* x, int begin, int end, int inputs, int8_t* q, float* scale, float* sum) {
    for (int g = begin * (inputs / group); g < end * (inputs / group); ++g) {
        const float* from = x + static_cast<ptrdiff_t>(g) * group;
        float largest = 0.0f;
        for (int i = 0; i < group; ++i) largest = std::max(largest, std::fabs(from[i]));
        const float s = largest / 127.0f;
        int total = 0;
        for (int i = 0; i < group; ++i) {
            const int code = s == 0.0f ? 0 : static_cast<int>(std::lround(from[i] / s));
            q[static_cast<ptrdiff_t>(g) * group + i] = static_cast<int8_t>(code);
            total += code;
        }
        scale[g] = s;
        sum[g] = s * static_cast<float>(total);
    }
}

size_t packed_bytes(DType type, Compute, int outputs, int inputs) {
    return reference::packed_bytes(type, outputs, inputs);
}

void pack_panel(const std::byte* source, const PackedMatrix& w, int panel) {
    reference::pack_panel(source, w, panel);
}

void unpack_row(const PackedMatrix& w, int row, float* out) { reference::unpack_row(w, row, out); }

void gemm_panel(const PackedMatrix& w, int panel, const Rows& x, const int32_t* rows, int count, float* out,
                int out_stride) {
    if (w.compute == Compute::reference)
        return reference::gemm_panel(w, panel, x, rows, count, out, out_stride);
    std::vector<float> rounded(static_cast<size_t>(count) * static_cast<size_t>(x.inputs));
    for (int i = 0; i < count; ++i)
        for (int k = 0; k < x.inputs; ++k) {
            const ptrdiff_t at = static_cast<ptrdiff_t>(rows == nullptr ? i : rows[i]) * x.inputs + k;
            rounded[static_cast<size_t>(i) * static_cast<size_t>(x.inputs) + static_cast<size_t>(k)] =
                x.scale[at / group] * static_cast<float>(x.q[at]);
        }
    const Rows own{.rows = count, .inputs = x.inputs, .x = rounded.data()};
    reference::gemm_panel(w, panel, own, nullptr, count, out, out_stride);
}

}  // namespace sfumato::cpu
