#include "cpu/gemm.h"

#include <algorithm>
#include <cstring>

#include "cpu/gemm_reference.h"
#include "cpu/kernels.h"
#include "cpu/pack.h"
#include "cpu/vector_math.h"

namespace sfumato::cpu {
namespace {

// Matrices of floats (F32, F16, BF16) are small or rare: de-quantised activations, plain dot
// products.
void multiply_floats(const PackedMatrix& w, int panel, const GemmArgs& a) {
    const size_t row = row_bytes(w.type, w.inputs), element = row / static_cast<size_t>(w.inputs);
    const int groups = w.inputs / group;
    float weights[panel_outputs][slab_inputs], x[slab_inputs];
    for (int k = 0; k < w.inputs; k += slab_inputs) {
        const int n = std::min(slab_inputs, w.inputs - k);
        for (int o = 0; o < a.outputs; ++o)
            dequantize_row(w.type,
                           w.data + static_cast<size_t>(panel * panel_outputs + o) * row +
                               static_cast<size_t>(k) * element,
                           n,
                           weights[o]);
        for (int i = 0; i < a.count; ++i) {
            const ptrdiff_t source = a.rows == nullptr ? i : a.rows[i];
            const auto* q = reinterpret_cast<const uint8_t*>(a.x.q) + source * w.inputs + k;
            const float* scale = a.x.scale + source * groups + k / group;
            for (int j = 0; j < n; ++j)
                x[j] = scale[j / group] * static_cast<float>(static_cast<int>(q[j]) - 128);
            float* out = a.out + static_cast<ptrdiff_t>(i) * a.out_stride;
            for (int o = 0; o < a.outputs; ++o)
                out[o] = (k == 0 ? 0.0f : out[o]) + dot(x, weights[o], n);
        }
    }
}

}  // namespace

size_t packed_bytes(DType type, Compute compute, int outputs, int inputs) {
    return compute == Compute::reference ? reference::packed_bytes(type, outputs, inputs)
                                         : packed::bytes(type, outputs, inputs);
}

void pack_panel(const std::byte* source, const PackedMatrix& w, int panel) {
    if (w.compute == Compute::reference) return reference::pack_panel(source, w, panel);
    packed::pack_panel(source, w, panel);
}

void gemm_panel(const PackedMatrix& w,
                int panel,
                const Rows& x,
                const int32_t* rows,
                int count,
                float* out,
                int out_stride,
                Weights weights,
                const std::byte* next) {
    if (w.compute == Compute::reference)
        return reference::gemm_panel(w, panel, x, rows, count, out, out_stride);
    const GemmArgs args{.panel = reinterpret_cast<const uint8_t*>(panel_data(w, panel)),
                        .x = x,
                        .rows = rows,
                        .count = count,
                        .out = out,
                        .out_stride = out_stride,
                        .outputs = std::min(panel_outputs, w.outputs - panel * panel_outputs),
                        .weights = weights,
                        .next = reinterpret_cast<const uint8_t*>(next)};
    if (pack_format(w.type).scales == Scales::none) return multiply_floats(w, panel, args);
    kernels().gemm(w.type, args);
}

const std::byte* panel_data(const PackedMatrix& w, int panel) {
    const PackFormat f = pack_format(w.type);
    const size_t bytes = w.compute == Compute::reference || f.scales == Scales::none
                             ? row_bytes(w.type, w.inputs) * panel_outputs
                             : f.panel_bytes(w.inputs);
    return w.data + static_cast<size_t>(panel) * bytes;
}

void unpack_row(const PackedMatrix& w, int row, float* out) {
    if (w.compute == Compute::reference) return reference::unpack_row(w, row, out);
    const PackFormat f = pack_format(w.type);
    if (f.scales == Scales::none) {
        const size_t bytes = row_bytes(w.type, w.inputs);
        return dequantize_row(w.type, w.data + static_cast<size_t>(row) * bytes, w.inputs, out);
    }
    const size_t at = static_cast<size_t>(row / panel_outputs) * f.panel_bytes(w.inputs);
    kernels().unpack(
        w.type, reinterpret_cast<const uint8_t*>(w.data) + at, w.inputs, row % panel_outputs, out);
}

void quantize_rows(
    const float* x, int begin, int end, int inputs, int8_t* q, float* scale, float* sum) {
    kernels().quantize(x, begin, end, inputs, q, scale, sum);
}

}  // namespace sfumato::cpu
