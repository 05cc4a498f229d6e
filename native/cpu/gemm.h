// Matrix products of the CPU: W [outputs, inputs] in any type of a model file times rows of
// activations, in 8-bit integers (fast) or 32-bit floats (reference).
//
// A packed matrix is cut into panels of `panel_outputs` rows of W, the unit of work that callers
// hand to threads: gemm_panel computes one panel for a set of activation rows, on the calling
// thread, without allocating, so that callers (linear, moe, logits) can queue panels and fuse what
// follows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

namespace sfumato::cpu {

inline constexpr int group = 32;          // activations that share one scale
inline constexpr int panel_outputs = 32;  // rows of W in a panel; the last panel may be short

// Rows of activations. Reference products read `x`, fast products read `q`, `scale` and `sum`.
struct Rows {
    int rows = 0;
    int inputs = 0;                // a multiple of `group`
    const float* x = nullptr;      // [rows, inputs]
    const int8_t* q = nullptr;     // [rows, inputs], x ≈ scale * q
    const float* scale = nullptr;  // [rows, inputs / group]
    const float* sum = nullptr;    // [rows, inputs / group], scale * Σ q of the group
};

// x → q, scale, sum for rows [begin, end).
void quantize_rows(
    const float* x, int begin, int end, int inputs, int8_t* q, float* scale, float* sum);

enum class Compute { fast, reference };

// One matrix, in memory that the caller owns (`packed_bytes` of it, 64-byte aligned).
struct PackedMatrix {
    DType type{};
    Compute compute{};
    int outputs = 0;
    int inputs = 0;
    std::byte* data = nullptr;

    int panels() const { return (outputs + panel_outputs - 1) / panel_outputs; }
};

// Bytes of a packed matrix: the file's bytes for `reference`, at most a few percent more for
// `fast`.
size_t packed_bytes(DType type, Compute compute, int outputs, int inputs);

// Repacks rows [panel * panel_outputs, …) from the file's layout. `source` is the first byte of W.
void pack_panel(const std::byte* source, const PackedMatrix& w, int panel);

// exact: as the file has them. rounded: to 8 bits with one scale for 256 inputs, by instruction
// sets that gain from it: products take a fifth less time, unpacking half as much again, so it is
// for matrices that many rows share. The number of rows does not decide: results must not depend on
// how a prompt is cut into passes.
enum class Weights { exact, rounded };

// out[i, o] = Σ_k x[rows[i], k] * W[panel * panel_outputs + o, k] for i < count, o < outputs of the
// panel.
//   rows: indices into x, or nullptr for 0 … count-1.   out: [count, out_stride]
//   next: the panel that this thread will probably read next, else whatever follows in memory
void gemm_panel(const PackedMatrix& w,
                int panel,
                const Rows& x,
                const int32_t* rows,
                int count,
                float* out,
                int out_stride,
                Weights weights = Weights::exact,
                const std::byte* next = nullptr);

// The first byte of a panel.
const std::byte* panel_data(const PackedMatrix& w, int panel);

// One row of W as floats (embedding look-up, reference products).
void unpack_row(const PackedMatrix& w, int row, float* out);

}  // namespace sfumato::cpu
