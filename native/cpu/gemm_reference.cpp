#include "cpu/gemm_reference.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace sfumato::cpu::reference {
namespace {

size_t bytes_of_row(const PackedMatrix& w) { return row_bytes(w.type, w.inputs); }

// Sixteen sums side by side: what a compiler can keep in vector registers, and more exact than one.
float dot(const float* a, const float* b, int n) {
    float sums[16] = {};
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; ++j) sums[j] += a[i + j] * b[i + j];
    for (; i < n; ++i) sums[0] += a[i] * b[i];
    for (int width = 8; width > 0; width /= 2)
        for (int j = 0; j < width; ++j) sums[j] += sums[j + width];
    return sums[0];
}

}  // namespace

size_t packed_bytes(DType type, int outputs, int inputs) {
    return row_bytes(type, inputs) * static_cast<size_t>(outputs);
}

void pack_panel(const std::byte* source, const PackedMatrix& w, int panel) {
    const int first = panel * panel_outputs;
    const int count = std::min(panel_outputs, w.outputs - first);
    const size_t bytes = bytes_of_row(w), offset = static_cast<size_t>(first) * bytes;
    std::memcpy(w.data + offset, source + offset, static_cast<size_t>(count) * bytes);
}

void gemm_panel(const PackedMatrix& w,
                int panel,
                const Rows& x,
                const int32_t* rows,
                int count,
                float* out,
                int out_stride) {
    thread_local std::vector<float> row;  // grows to the widest matrix and stays
    row.resize(static_cast<size_t>(w.inputs));
    const int first = panel * panel_outputs;
    const int outputs = std::min(panel_outputs, w.outputs - first);
    for (int o = 0; o < outputs; ++o) {
        reference::unpack_row(w, first + o, row.data());
        for (int i = 0; i < count; ++i) {
            const auto source = static_cast<size_t>(rows == nullptr ? i : rows[i]);
            out[static_cast<size_t>(i) * static_cast<size_t>(out_stride) + static_cast<size_t>(o)] =
                dot(x.x + source * static_cast<size_t>(w.inputs), row.data(), w.inputs);
        }
    }
}

void unpack_row(const PackedMatrix& w, int row, float* out) {
    dequantize_row(w.type, w.data + static_cast<size_t>(row) * bytes_of_row(w), w.inputs, out);
}

}  // namespace sfumato::cpu::reference
