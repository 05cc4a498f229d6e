#include "cpu/vector_512.h"

namespace {
using Vec = Vec512;
}

#include "cpu/attention_kernel.h"
#include "cpu/gemm_kernel.h"
#include "cpu/logits_kernel.h"
#include "cpu/unpack_kernel.h"
#include "cpu/vector_kernel.h"

namespace sfumato::cpu {
const Kernels avx512vnni_kernels{.gemm = gemm_any,
                                 .quantize = quantize,
                                 .unpack = unpack_any,
                                 .float_product = float_product,
                                 .geglu = geglu,
                                 .add_logits = add_logits,
                                 .attention = attention,
                                 .dot_products = dot_products};
}  // namespace sfumato::cpu
