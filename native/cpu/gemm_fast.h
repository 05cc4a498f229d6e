// What each instruction set provides for the fast products.
#pragma once

#include "cpu/gemm.h"

namespace sfumato::cpu {

// One panel, as gemm_panel has it.
struct GemmArgs {
    const uint8_t* panel;
    const Rows& x;
    const int32_t* rows;
    int count;
    float* out;
    int out_stride;
    int outputs;
};

struct FastKernels {
    void (*gemm)(DType, const GemmArgs&);
    void (*quantize)(const float* x, int begin, int end, int inputs, int8_t* q, float* scale, float* sum);
};

extern const FastKernels portable_kernels, avx2_kernels, avxvnni_kernels, avx512vnni_kernels;

}  // namespace sfumato::cpu
