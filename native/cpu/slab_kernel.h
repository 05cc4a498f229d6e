// A slab of a panel as bytes and scales that products read, for one instruction set; see
// gemm_kernel.h.
#pragma once

#include <cstring>
#include <type_traits>
#include <utility>

#include "cpu/gemm.h"
#include "cpu/pack.h"

namespace sfumato::cpu {
namespace {

constexpr int max_rows = 256;  // rows that one unpacked slab is used for

// Bits that a code needs as a signed number, which decides how often 16-bit sums must be widened.
constexpr int signed_bits(DType type) {
    const PackFormat f = pack_format(type);
    if (type == DType::mxfp4) return 5;
    return f.table ? 8 : f.bits;
}

// Subtracted from the codes: the format's offset, or what makes them signed where Vec needs that.
constexpr int centre(DType type) {
    const PackFormat f = pack_format(type);
    if (Vec::needs_signed && f.mins()) return f.bits == 4 ? 8 : 16;
    return f.offset;
}

struct alignas(64) Slab {
    template <DType type>
    static constexpr int rows_at_once =
        pack_format(type).halves() ? Vec::rows_at_once_halves : Vec::rows_at_once;

    int8_t codes[slab_groups]
                [Vec::bytes_per_code * 1024];      // [step 8][output 32][input 4], see split()
    int32_t start[slab_groups][2][panel_outputs];  // -128 · Σ code, per 16 or 32 inputs
    float d[slab_groups][2][panel_outputs];        // per 16 or 32 inputs
    float m[slab_groups][panel_outputs];
};

template <int... i, class Body>
inline void unroll(std::integer_sequence<int, i...>, Body&& body) {
    (body(std::integral_constant<int, i>{}), ...);
}
template <int count, class Body>
inline void unroll(Body&& body) {
    unroll(std::make_integer_sequence<int, count>{}, std::forward<Body>(body));
}

// Bits above the fourth of vector v, in their place.
template <int bits, int v>
inline Vec::Ints high_bits(const uint8_t* high, int at) {
    constexpr int per_plane = bits == 5 ? 8 : 4, shift = v % per_plane * (bits - 4);
    const auto plane = Vec::load(high + v / per_plane * 64 + at);
    const auto mask = Vec::set8(bits == 5 ? 0x10 : 0x30);
    if constexpr (shift < 4)
        return Vec::and_(Vec::template shift_left<4 - shift>(plane), mask);
    else
        return Vec::and_(Vec::template shift_right<shift - 4>(plane), mask);
}

// starts: whether the products begin at `start`, for activations that are q + 128.
template <DType type, bool starts>
inline void unpack_codes(const uint8_t* codes, const uint8_t* high, int8_t* out, int32_t* start) {
    constexpr PackFormat f = pack_format(type);
    constexpr int chunks = 64 / Vec::bytes;
    unroll<chunks>([&](auto chunk) {
        constexpr int at = chunk * Vec::bytes;
        [[maybe_unused]] auto sum0 = Vec::zero(), sum1 = Vec::zero();
        unroll<8>([&](auto step) {
            Vec::Ints code[2];
            if constexpr (f.bits == 8) {
                code[0] = Vec::load(codes + step * 128 + at);
                code[1] = Vec::load(codes + step * 128 + 64 + at);
            } else {
                const auto packed = Vec::load(codes + step * 64 + at);
                const auto mask = Vec::set8(15);
                code[0] = Vec::and_(packed, mask);
                code[1] = Vec::and_(Vec::template shift_right<4>(packed), mask);
            }
            if constexpr (f.bits == 5 || f.bits == 6) {
                code[0] = Vec::or_(code[0], high_bits<f.bits, 2 * step>(high, at));
                code[1] = Vec::or_(code[1], high_bits<f.bits, 2 * step + 1>(high, at));
            }
            if constexpr (f.table) {
                const auto table = Vec::table(type == DType::mxfp4 ? mxfp4_values : iq4_values);
                code[0] = Vec::look_up(table, code[0]);
                code[1] = Vec::look_up(table, code[1]);
            }
            if constexpr (centre(type) != 0) {
                code[0] = Vec::sub8(code[0], Vec::set8(centre(type)));
                code[1] = Vec::sub8(code[1], Vec::set8(centre(type)));
            }
            Vec::template split<signed_bits(type)>(out + step * 128 + at, code[0]);
            Vec::template split<signed_bits(type)>(out + step * 128 + 64 + at, code[1]);
            if constexpr (starts) {
                sum0 = Vec::add_128_times(sum0, code[0]);
                sum1 = Vec::add_128_times(sum1, code[1]);
                if constexpr (step == 7 || (f.halves() && step == 3)) {
                    int32_t* at_start =
                        start + (f.halves() && step == 7 ? panel_outputs : 0) + at / 4;
                    Vec::store(at_start, Vec::sub32(Vec::zero(), sum0));
                    Vec::store(at_start + 16, Vec::sub32(Vec::zero(), sum1));
                    sum0 = sum1 = Vec::zero();
                }
            }
        });
    });
}

template <DType type, class Unpacked>
inline void unpack_scales(const SlabParts& parts, int groups, Unpacked& slab) {
    constexpr PackFormat f = pack_format(type);
    constexpr int n = panel_outputs;
    alignas(64) float d[n], m[n];
    if constexpr (f.header_bytes() != 0) Vec::halves(parts.header, d);
    if constexpr (f.scales == Scales::k) Vec::halves(parts.header + 2 * n, m);
    for (int g = 0; g < groups; ++g) {
        float* to = slab.d[g][0];
        float* min = slab.m[g];
        const uint8_t* scales = parts.group_scales + g * f.group_scale_bytes();
        if constexpr (f.scales == Scales::half || f.scales == Scales::half_min) {
            Vec::halves(scales, to);
            if constexpr (f.mins()) {
                Vec::halves(scales + 2 * n, min);
                for (int o = 0; o < n; ++o) min[o] = -min[o];
            }
        } else if constexpr (f.scales == Scales::k) {
            const uint8_t* s = parts.header + 4 * n;
            for (int o = 0; o < n; ++o) {
                const int low = s[g % 4 * n + o], mid = s[(g % 4 + 4) * n + o];
                int scale = low & 63, minimum = mid & 63;
                if (g >= 4) {
                    const int last = s[(g + 4) * n + o];
                    scale = (last & 15) | ((low >> 6) << 4);
                    minimum = (last >> 4) | ((mid >> 6) << 4);
                }
                to[o] = d[o] * static_cast<float>(scale);
                min[o] = m[o] * static_cast<float>(minimum);
            }
        } else if constexpr (f.scales == Scales::k16) {
            const auto* s = reinterpret_cast<const int8_t*>(parts.header) + 2 * n + 2 * g * n;
            for (int o = 0; o < 2 * n; ++o) to[o] = d[o % n] * static_cast<float>(s[o]);
        } else if constexpr (f.scales == Scales::xs) {
            const uint8_t* s = parts.header + 2 * n + g * n;
            for (int o = 0; o < n; ++o) to[o] = d[o] * static_cast<float>(s[o] - 32);
        } else {
            for (int o = 0; o < n; ++o) {
                const uint32_t e = scales[o];
                const uint32_t bits = e < 2 ? 0x00200000u << e : (e - 1) << 23;
                std::memcpy(to + o, &bits, sizeof bits);
            }
        }
        if constexpr (f.mins() && centre(type) != 0)
            for (int o = 0; o < n; ++o) min[o] -= static_cast<float>(centre(type)) * to[o];
    }
}

template <DType type, bool starts>
inline void unpack_slab(const uint8_t* packed, int groups, Slab& slab) {
    constexpr PackFormat f = pack_format(type);
    const SlabParts parts = slab_parts(f, packed, groups);
    unpack_scales<type>(parts, groups, slab);
    for (int g = 0; g < groups; ++g)
        unpack_codes<type, starts>(parts.codes + g * f.code_bytes(),
                                   parts.high + g * f.high_bytes(),
                                   slab.codes[g],
                                   slab.start[g][0]);
}

// Asks for part `part` of `parts` of the slab that follows, while this one is multiplied: what the
// processor foresees by itself does not reach across the pause between two slabs. Beyond the last
// slab of a matrix nothing is read.
template <DType type>
inline void prefetch_part([[maybe_unused]] const uint8_t* next, int part, int parts) {
    constexpr int lines = static_cast<int>(pack_format(type).slab_bytes(slab_groups) / 64);
    for (int i = lines * part / parts; i < lines * (part + 1) / parts; ++i) {
#ifdef __GNUC__
        __builtin_prefetch(next + i * 64);
#endif
    }
}

// body(type as a constant) where `type` is one of packed codes.
template <class Body>
inline void for_packed_type(DType type, Body&& body) {
    switch (type) {
        case DType::q4_0: return body(std::integral_constant<DType, DType::q4_0>{});
        case DType::q4_1: return body(std::integral_constant<DType, DType::q4_1>{});
        case DType::q5_0: return body(std::integral_constant<DType, DType::q5_0>{});
        case DType::q5_1: return body(std::integral_constant<DType, DType::q5_1>{});
        case DType::q8_0: return body(std::integral_constant<DType, DType::q8_0>{});
        case DType::q4_k: return body(std::integral_constant<DType, DType::q4_k>{});
        case DType::q5_k: return body(std::integral_constant<DType, DType::q5_k>{});
        case DType::q6_k: return body(std::integral_constant<DType, DType::q6_k>{});
        case DType::iq4_nl: return body(std::integral_constant<DType, DType::iq4_nl>{});
        case DType::iq4_xs: return body(std::integral_constant<DType, DType::iq4_xs>{});
        case DType::mxfp4: return body(std::integral_constant<DType, DType::mxfp4>{});
        default: return;  // floats: not a matter of instruction sets
    }
}

}  // namespace
}  // namespace sfumato::cpu
