#include "cpu/vector_256.h"

namespace {

struct Vec : Vec256 {
    static constexpr int rows_at_once = 4, rows_at_once_halves = 4;
    static constexpr bool needs_signed = true;
    static constexpr int bytes_per_code = 2;

    static Ints add_128_times(Ints sum, Ints code) {
        const Ints pairs = _mm256_maddubs_epi16(set8(1), code);
        return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(128)));
    }

    // Codes of 8 bits go in two parts, 16 · high + low, so that pairs of products fit 16 bits.
    template <int bits>
    static void split(int8_t* p, Ints code) {
        if constexpr (bits < 8) {
            store(p, code);
        } else {
            const Ints eight = set8(8);
            store(p, and_(code, set8(15)));
            const Ints high = and_(_mm256_srli_epi16(code, 4), set8(15));
            store(p + high_part, sub8(_mm256_xor_si256(high, eight), eight));
        }
    }
    static constexpr int high_part = 1024;

    // Keeps gcc from turning a chain of additions into a tree, whose leaves do not fit the
    // registers.
    static Ints in_order(Ints v) {
#ifdef __GNUC__
        __asm__("" : "+x"(v));
#endif
        return v;
    }

    // One step of R rows added in 16 bits. |u8 · code| summed in pairs: 2 · 255 · 2^(bits - 1).
    template <int R>
    static void dot16(Ints (&sums)[R][2],
                      const uint8_t* const (&q)[R],
                      int at,
                      const int8_t* codes) {
        const Ints w0 = load(codes), w1 = load(codes + 32);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            int32_t four;
            __builtin_memcpy(&four, q[r] + at, sizeof four);
            const Ints x = _mm256_set1_epi32(four);
            sums[r][0] = in_order(_mm256_add_epi16(sums[r][0], _mm256_maddubs_epi16(x, w0)));
            sums[r][1] = in_order(_mm256_add_epi16(sums[r][1], _mm256_maddubs_epi16(x, w1)));
        }
    }

    // sums += factor · (steps [first, last)), widened to 32 bits every `depth` steps.
    template <int depth, int factor, int R, int first, int last>
    static void dot_part(Ints (&sums)[R][2],
                         const uint8_t* const (&q)[R],
                         int at,
                         const int8_t* codes) {
#pragma GCC unroll 8
        for (int begin = first; begin < last; begin += depth) {
            Ints narrow[R][2];
            for (int r = 0; r < R; ++r) narrow[r][0] = narrow[r][1] = zero();
#pragma GCC unroll 8
            for (int step = begin; step < begin + depth; ++step)
                dot16<R>(narrow, q, at + step * 4, codes + step * 128);
            const Ints one = _mm256_set1_epi16(factor);
            for (int r = 0; r < R; ++r) {
                sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(narrow[r][0], one));
                sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(narrow[r][1], one));
            }
        }
    }

    // Steps [first, last) of R rows with two vectors of outputs. Nothing saturates: at most
    //   4 bits: 8 steps · 2 · 255 · 8;   5 bits: 4 · 2 · 255 · 16;   6 bits: 2 · 2 · 255 · 32  =
    //   32,640
    template <int bits, int R, int first, int last>
    static void dot(Ints (&sums)[R][2], const uint8_t* const (&q)[R], int at, const int8_t* codes) {
        if constexpr (bits == 8) {
            dot_part<4, 1, R, first, last>(sums, q, at, codes);  // low: 4 · 2 · 255 · 15 = 30,600
            dot_part<8, 16, R, first, last>(sums, q, at, codes + high_part);
        } else {
            constexpr int depth = bits == 4 ? 8 : bits == 5 ? 4 : 2;
            dot_part<depth, 1, R, first, last>(sums, q, at, codes);
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
const Kernels avx2_kernels{.gemm = gemm_any<Slab>,
                           .quantize = quantize,
                           .unpack = unpack_any,
                           .float_product = float_product,
                           .add_weighted = add_weighted,
                           .geglu = geglu,
                           .add_logits = add_logits,
                           .attention = attention,
                           .dot_products = dot_products};
}  // namespace sfumato::cpu
