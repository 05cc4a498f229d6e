// What AVX2 and AVX-VNNI have in common: vectors of 256 bits. Each of their files adds its dot
// product. In a namespace without a name, because the two are compiled for different instructions.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace {

struct Vec256 {
    using Ints = __m256i;
    using Floats = __m256;
    static constexpr int lanes = 8, bytes = 32;

    static Ints zero() { return _mm256_setzero_si256(); }
    static Ints set8(int v) { return _mm256_set1_epi8(static_cast<char>(v)); }
    static Ints load(const void* p) { return _mm256_loadu_si256(static_cast<const Ints*>(p)); }
    static void store(void* p, Ints v) { _mm256_storeu_si256(static_cast<Ints*>(p), v); }
    static Ints and_(Ints a, Ints b) { return _mm256_and_si256(a, b); }
    static Ints or_(Ints a, Ints b) { return _mm256_or_si256(a, b); }
    static Ints sub8(Ints a, Ints b) { return _mm256_sub_epi8(a, b); }
    static Ints sub32(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
    template <int n>
    static Ints shift_left(Ints a) {
        return n == 0 ? a : _mm256_slli_epi16(a, n);
    }
    template <int n>
    static Ints shift_right(Ints a) {
        return n == 0 ? a : _mm256_srli_epi16(a, n);
    }
    static Ints table(const int8_t* values) {
        return _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(values)));
    }
    static Ints look_up(Ints table, Ints code) { return _mm256_shuffle_epi8(table, code); }

    static Floats loadf(const float* p) { return _mm256_loadu_ps(p); }
    static void storef(float* p, Floats v) { _mm256_storeu_ps(p, v); }
    static Floats broadcastf(const float* p) { return _mm256_broadcast_ss(p); }
    static Floats to_float(Ints v) { return _mm256_cvtepi32_ps(v); }
    static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
    static Floats fnma(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); }
    static void halves(const uint8_t* from, float* to) {
        for (int i = 0; i < 4; ++i)
            storef(to + 8 * i,
                   _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from) + i)));
    }

    static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
    static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
    static Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
    static Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
    static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
    using Whole = Ints;  // whole numbers
    static Whole nearest(Floats a) { return _mm256_cvtps_epi32(a); }
    static Floats times_power_of_two(Floats a, Whole n) {
        const Ints power = _mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23);
        return _mm256_mul_ps(a, _mm256_castsi256_ps(power));
    }
    using Mask = __m256;
    static Mask greater(Floats a, Floats b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
    static Mask not_less(Floats a, Floats b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
    static bool any(Mask m) { return _mm256_movemask_ps(m) != 0; }
    static uint32_t bits(Mask m) { return static_cast<uint32_t>(_mm256_movemask_ps(m)); }
    static Floats select(Mask m, Floats yes, Floats no) { return _mm256_blendv_ps(no, yes, m); }
    static Ints select(Mask m, Ints yes, Ints no) {
        return _mm256_castps_si256(
            _mm256_blendv_ps(_mm256_castsi256_ps(no), _mm256_castsi256_ps(yes), m));
    }
    static Ints count_from(int first) {
        return _mm256_add_epi32(_mm256_set1_epi32(first),
                                _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    }
    static float sum(Floats a) {
        __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
    }
    // out[i] = sum of a[i]
    template <int n>
    static void store_sums(float* out, const Floats (&a)[n]) {
        for (int i = 0; i < n; ++i) out[i] = sum(a[i]);
    }
    static float largest(Floats a) {
        __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        s = _mm_max_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
    }
    static Floats load_halves(const void* p) {
        return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p)));
    }
    static float half(const uint8_t* p) {
        uint16_t bits;
        __builtin_memcpy(&bits, p, sizeof bits);
        return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)));
    }
    static constexpr int dot_outputs =
        2;  // vectors side by side that leave registers for four rows

    static void quantize(const float* x, int8_t* q, float* scale, float* sum) {
        const Floats sign = _mm256_set1_ps(-0.0f);
        Floats v[4], most = _mm256_setzero_ps();
        for (int i = 0; i < 4; ++i) {
            v[i] = loadf(x + 8 * i);
            most = _mm256_max_ps(most, _mm256_andnot_ps(sign, v[i]));
        }
        __m128 top = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
        top = _mm_max_ps(top, _mm_movehl_ps(top, top));
        top = _mm_max_ss(top, _mm_movehdup_ps(top));
        const float largest = _mm_cvtss_f32(top);
        const float d = largest > 1e-30f ? largest / 127.0f : 0.0f;
        const Floats inverse = _mm256_set1_ps(largest > 1e-30f ? 127.0f / largest : 0.0f);
        const Ints limit = _mm256_set1_epi32(127), low = _mm256_set1_epi32(-127);
        Ints i[4], total = zero();
        for (int j = 0; j < 4; ++j) {
            i[j] = _mm256_cvtps_epi32(_mm256_mul_ps(v[j], inverse));
            i[j] = _mm256_max_epi32(_mm256_min_epi32(i[j], limit), low);
            total = _mm256_add_epi32(total, i[j]);
        }
        // Packing works on 128-bit halves; the permutation puts the fours of bytes back in order.
        const Ints bytes_ =
            _mm256_packs_epi16(_mm256_packs_epi32(i[0], i[1]), _mm256_packs_epi32(i[2], i[3]));
        const Ints order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        store(q, _mm256_xor_si256(_mm256_permutevar8x32_epi32(bytes_, order), set8(-128)));
        __m128i s =
            _mm_add_epi32(_mm256_castsi256_si128(total), _mm256_extracti128_si256(total, 1));
        s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
        s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
        *scale = d;
        *sum = d * static_cast<float>(_mm_cvtsi128_si32(s));
    }
};

}  // namespace
