#include "cpu/kernels.h"

#include "core/cpu_features.h"

namespace sfumato::cpu {

#if defined(__x86_64__) || defined(_M_X64)
namespace {
const Kernels& amx_kernels() {
    static const Kernels made = [] {
        Kernels k = avx512vnni_kernels;
        k.gemm = gemm_tiles;
        k.dot_products = dot_product_tiles;
        return k;
    }();
    return made;
}
}  // namespace
#endif

const Kernels& kernels() {
#if defined(__x86_64__) || defined(_M_X64)
    switch (isa()) {
        case Isa::amx: return amx_kernels();
        case Isa::avx512vnni: return avx512vnni_kernels;
        case Isa::avxvnni: return avxvnni_kernels;
        case Isa::avx2: return avx2_kernels;
        case Isa::portable: break;
    }
#endif
    return portable_kernels;
}

size_t attention_floats(int head_dim, int queries) {
    constexpr int key_tile = 32;
    const auto d = static_cast<size_t>((head_dim + 15) / 16 * 16), m = static_cast<size_t>(queries);
    return 2 * key_tile * d + 2 * m * d + m * key_tile + 3 * m;
}

}  // namespace sfumato::cpu
