// The judge of the fast products: rows of W de-quantised to floats, dot products in 32 bits.
#pragma once

#include "cpu/gemm.h"

namespace sfumato::cpu::reference {

// A matrix stays as the file has it.
size_t packed_bytes(DType type, int outputs, int inputs);
void pack_panel(const std::byte* source, const PackedMatrix& w, int panel);
void gemm_panel(const PackedMatrix& w,
                int panel,
                const Rows& x,
                const int32_t* rows,
                int count,
                float* out,
                int out_stride);
void unpack_row(const PackedMatrix& w, int row, float* out);

}  // namespace sfumato::cpu::reference
