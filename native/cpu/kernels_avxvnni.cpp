#include "cpu/vector_256.h"

namespace {

struct Vec : Vec256 {
    static constexpr int rows_at_once = 6, rows_at_once_halves = 5;
    static constexpr bool needs_signed = false;
    static constexpr int bytes_per_code = 1;

    static Ints add_128_times(Ints sum, Ints code) {
        return _mm256_dpbusd_avx_epi32(sum, set8(128), code);
    }
    template <int bits>
    static void split(int8_t* p, Ints code) {
        store(p, code);
    }

    // Steps [first, last) of R rows with two vectors of outputs.
    template <int bits, int R, int first, int last>
    static void dot(Ints (&sums)[R][2], const uint8_t* const (&q)[R], int at, const int8_t* codes) {
#pragma GCC unroll 8
        for (int step = first; step < last; ++step) {
            const Ints w0 = load(codes + step * 128), w1 = load(codes + step * 128 + 32);
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) {
                int32_t four;
                __builtin_memcpy(&four, q[r] + at + step * 4, sizeof four);
                const Ints x = _mm256_set1_epi32(four);
                sums[r][0] = _mm256_dpbusd_avx_epi32(sums[r][0], x, w0);
                sums[r][1] = _mm256_dpbusd_avx_epi32(sums[r][1], x, w1);
            }
        }
    }
};

}  // namespace

#include "cpu/attention_kernel.h"
#include "cpu/gemm_kernel.h"
#include "cpu/logits_kernel.h"
#include "cpu/unpack_kernel.h"
#include "cpu/vector_kernel.h"

namespace sfumato::cpu {
const Kernels avxvnni_kernels{.gemm = gemm_any<Slab>,
                              .quantize = quantize,
                              .unpack = unpack_any,
                              .float_product = float_product,
                              .add_weighted = add_weighted,
                              .geglu = geglu,
                              .add_logits = add_logits,
                              .attention = attention,
                              .dot_products = dot_products};
}  // namespace sfumato::cpu
