#include "cpu/vector_512.h"

namespace {
using Vec = Vec512;
}

#include "cpu/attention_kernel.h"
#include "cpu/gemm_kernel.h"
#include "cpu/logits_kernel.h"
#include "cpu/rounded_kernel.h"
#include "cpu/unpack_kernel.h"
#include "cpu/vector_kernel.h"

namespace sfumato::cpu {
namespace {
void gemm_either(DType type, const GemmArgs& a) {
    return a.weights == Weights::rounded ? gemm_any<RoundedSlab>(type, a) : gemm_any<Slab>(type, a);
}
}  // namespace

const Kernels avx512vnni_kernels{.gemm = gemm_either,
                                 .quantize = quantize,
                                 .unpack = unpack_any,
                                 .float_product = float_product,
                                 .add_weighted = add_weighted,
                                 .geglu = geglu,
                                 .add_logits = add_logits,
                                 .attention = attention,
                                 .dot_products = dot_products};
}  // namespace sfumato::cpu
