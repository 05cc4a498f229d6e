// What AVX-512 VNNI and AMX have in common: vectors of 512 bits. In a namespace without a name,
// because the two are compiled for different instructions.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
// Of gcc 12's own AVX-512 header (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace {

struct Vec512 {
    using Ints = __m512i;
    using Floats = __m512;
    static constexpr int lanes = 16, bytes = 64;
    static constexpr int rows_at_once = 6, rows_at_once_halves = 5;
    static constexpr bool needs_signed = false;
    static constexpr int bytes_per_code = 1;

    static Ints zero() { return _mm512_setzero_si512(); }
    static Ints set8(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
    static Ints load(const void* p) { return _mm512_loadu_si512(p); }
    static void store(void* p, Ints v) { _mm512_storeu_si512(p, v); }
    static Ints and_(Ints a, Ints b) { return _mm512_and_si512(a, b); }
    static Ints or_(Ints a, Ints b) { return _mm512_or_si512(a, b); }
    static Ints xor_(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
    static Ints set16(int v) { return _mm512_set1_epi16(static_cast<short>(v)); }
    // The low 16 bits of each word, twice.
    static Ints twice16(Ints a) {
        return _mm512_or_si512(_mm512_and_si512(a, _mm512_set1_epi32(0xffff)),
                               _mm512_slli_epi32(a, 16));
    }
    // 8-bit codes: (code · ratio / 128 + offset) / 256, rounded down; ratio, offset: 16 bits.
    static Ints scale_codes(Ints code, Ints ratio, Ints offset) {
        const Ints high = set16(-256);
        const Ints even =
            _mm512_add_epi16(_mm512_mulhrs_epi16(_mm512_slli_epi16(code, 8), ratio), offset);
        const Ints odd =
            _mm512_add_epi16(_mm512_mulhrs_epi16(_mm512_and_si512(code, high), ratio), offset);
        constexpr int a_and_b_or_c = 0xea;
        return _mm512_ternarylogic_epi32(odd, high, _mm512_srli_epi16(even, 8), a_and_b_or_c);
    }
    static Ints sub8(Ints a, Ints b) { return _mm512_sub_epi8(a, b); }
    static Ints sub32(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
    template <int n>
    static Ints shift_left(Ints a) {
        return n == 0 ? a : _mm512_slli_epi16(a, n);
    }
    template <int n>
    static Ints shift_right(Ints a) {
        return n == 0 ? a : _mm512_srli_epi16(a, n);
    }
    static Ints table(const int8_t* values) {
        return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
    }
    static Ints look_up(Ints table, Ints code) { return _mm512_shuffle_epi8(table, code); }
    static Ints add_128_times(Ints sum, Ints code) {
        return _mm512_dpbusd_epi32(sum, set8(128), code);
    }
    template <int bits>
    static void split(int8_t* p, Ints code) {
        store(p, code);
    }

    static Floats loadf(const float* p) { return _mm512_loadu_ps(p); }
    static void storef(float* p, Floats v) { _mm512_storeu_ps(p, v); }
    static Floats broadcastf(const float* p) { return _mm512_set1_ps(*p); }
    static Floats to_float(Ints v) { return _mm512_cvtepi32_ps(v); }
    static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
    static Floats fnma(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }
    static void halves(const uint8_t* from, float* to) {
        for (int i = 0; i < 2; ++i)
            storef(to + 16 * i,
                   _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from) + i)));
    }

    // Steps [first, last) of R rows with two vectors of outputs.
    template <int bits, int R, int first, int last>
    static void dot(Ints (&sums)[R][2], const uint8_t* const (&q)[R], int at, const int8_t* codes) {
#pragma GCC unroll 8
        for (int step = first; step < last; ++step) {
            const Ints w0 = load(codes + step * 128), w1 = load(codes + step * 128 + 64);
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r) {
                int32_t four;
                __builtin_memcpy(&four, q[r] + at + step * 4, sizeof four);
                const Ints x = _mm512_set1_epi32(four);
                sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], x, w0);
                sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], x, w1);
            }
        }
    }

    static Floats abs(Floats a) { return _mm512_abs_ps(a); }
    static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
    static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
    static Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
    static Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
    static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
    static Ints to_int(Floats a) { return _mm512_cvtps_epi32(a); }
    using Whole = Floats;  // whole numbers
    static Whole nearest(Floats a) {
        return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    static Floats to_float(Whole a) { return a; }
    static Floats times_power_of_two(Floats a, Whole n) { return _mm512_scalef_ps(a, n); }
    using Mask = __mmask16;
    static Mask greater(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
    static Mask not_less(Floats a, Floats b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
    static bool any(Mask m) { return m != 0; }
    static uint32_t bits(Mask m) { return m; }
    static Floats select(Mask m, Floats yes, Floats no) { return _mm512_mask_blend_ps(m, no, yes); }
    static Ints select(Mask m, Ints yes, Ints no) { return _mm512_mask_blend_epi32(m, no, yes); }
    static Ints count_from(int first) {
        return _mm512_add_epi32(
            _mm512_set1_epi32(first),
            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    }
    // In the order of store_sums: results do not depend on which rows came together.
    static float sum(Floats a) {
        a = add(a, _mm512_permute_ps(a, 0x4e));
        a = add(a, _mm512_permute_ps(a, 0xb1));
        const __m256 half =
            _mm256_add_ps(_mm512_castps512_ps256(a),
                          _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1)));
        return _mm_cvtss_f32(
            _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
    }
    // out[i] = sum of a[i]
    template <int n>
    static void store_sums(float* out, const Floats (&a)[n]) {
        if constexpr (n == 4) {
            const Floats ab = add(_mm512_unpacklo_ps(a[0], a[1]), _mm512_unpackhi_ps(a[0], a[1]));
            const Floats cd = add(_mm512_unpacklo_ps(a[2], a[3]), _mm512_unpackhi_ps(a[2], a[3]));
            const __m512d l = _mm512_castps_pd(ab), r = _mm512_castps_pd(cd);
            const Floats abcd = add(_mm512_castpd_ps(_mm512_unpacklo_pd(l, r)),
                                    _mm512_castpd_ps(_mm512_unpackhi_pd(l, r)));
            const __m256 half =
                _mm256_add_ps(_mm512_castps512_ps256(abcd),
                              _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(abcd), 1)));
            _mm_storeu_ps(out,
                          _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
        } else {
            for (int i = 0; i < n; ++i) out[i] = sum(a[i]);
        }
    }
    static float largest(Floats a) { return _mm512_reduce_max_ps(a); }
    static Floats load_halves(const void* p) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
    }
    static float half(const uint8_t* p) {
        uint16_t bits;
        __builtin_memcpy(&bits, p, sizeof bits);
        return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
    }
    static constexpr int dot_outputs =
        4;  // vectors side by side that leave registers for four rows

    static void quantize(const float* x, int8_t* q, float* scale, float* sum) {
        const Floats a = loadf(x), b = loadf(x + 16);
        const float largest =
            _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
        const float d = largest > 1e-30f ? largest / 127.0f : 0.0f;
        const Floats inverse = _mm512_set1_ps(largest > 1e-30f ? 127.0f / largest : 0.0f);
        const Ints limit = _mm512_set1_epi32(127), low = _mm512_set1_epi32(-127);
        const Ints i = _mm512_cvtps_epi32(_mm512_mul_ps(a, inverse));
        const Ints j = _mm512_cvtps_epi32(_mm512_mul_ps(b, inverse));
        const Ints ci = _mm512_max_epi32(_mm512_min_epi32(i, limit), low);
        const Ints cj = _mm512_max_epi32(_mm512_min_epi32(j, limit), low);
        const Ints bias = _mm512_set1_epi32(128);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(q),
                         _mm512_cvtepi32_epi8(_mm512_add_epi32(ci, bias)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(q + 16),
                         _mm512_cvtepi32_epi8(_mm512_add_epi32(cj, bias)));
        *scale = d;
        *sum = d * static_cast<float>(_mm512_reduce_add_epi32(_mm512_add_epi32(ci, cj)));
    }
};

}  // namespace
