// The fast product of a panel, for one instruction set. Included once by each kernels_<isa>.cpp
// after it defined `Vec`; all of it has internal linkage, because the same function is compiled for
// different processors in each of those files.
//
// A slab of the panel is unpacked once to signed bytes that stay in the first cache, then
// multiplied with all rows. Activations are kept as q + 128, because integer dot products take one
// unsigned and one signed operand; the accumulator starts at -128 · Σ code, which depends on the
// weights alone.
//
//   y[o] = Σ_groups  scale · (d[o] · Σ_k code[o, k] · q[k])  -  m[o] · sum,    sum = scale · Σ_k
//   q[k]
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "cpu/gemm.h"
#include "cpu/kernels.h"
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

template <DType type>
inline void unpack_codes(const uint8_t* codes, const uint8_t* high, int8_t* out, int32_t* start) {
    constexpr PackFormat f = pack_format(type);
    constexpr int chunks = 64 / Vec::bytes;
    unroll<chunks>([&](auto chunk) {
        constexpr int at = chunk * Vec::bytes;
        auto sum0 = Vec::zero(), sum1 = Vec::zero();
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
            sum0 = Vec::add_128_times(sum0, code[0]);
            sum1 = Vec::add_128_times(sum1, code[1]);
            if constexpr (step == 7 || (f.halves() && step == 3)) {
                int32_t* at_start = start + (f.halves() && step == 7 ? panel_outputs : 0) + at / 4;
                Vec::store(at_start, Vec::sub32(Vec::zero(), sum0));
                Vec::store(at_start + 16, Vec::sub32(Vec::zero(), sum1));
                sum0 = sum1 = Vec::zero();
            }
        });
    });
}

template <DType type>
inline void unpack_scales(const SlabParts& parts, int groups, Slab& slab) {
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

// Rows of one block.
template <int R>
struct Block {
    const uint8_t* q[R];
    const float* scale[R];
    const float* sum[R];
};

// Adds the products of a slab with R rows to acc [R][32].
template <DType type, int R>
void multiply(const Slab& slab, int groups, const Block<R>& x, float* acc) {
    constexpr PackFormat f = pack_format(type);
    constexpr int bits = signed_bits(type), pair = 2 * Vec::lanes;
    for (int o = 0; o < panel_outputs; o += pair) {
        Vec::Floats y[R][2];
        for (int r = 0; r < R; ++r) {
            y[r][0] = Vec::loadf(acc + r * panel_outputs + o);
            y[r][1] = Vec::loadf(acc + r * panel_outputs + o + Vec::lanes);
        }
        for (int g = 0; g < groups; ++g) {
            const int8_t* codes = slab.codes[g] + o * 4;
            Vec::Ints sums[R][2];
            const auto begin = [&](int half) {
                const auto s0 = Vec::load(slab.start[g][half] + o);
                const auto s1 = Vec::load(slab.start[g][half] + o + Vec::lanes);
                for (int r = 0; r < R; ++r) {
                    sums[r][0] = s0;
                    sums[r][1] = s1;
                }
            };
            begin(0);
            const auto d0 = Vec::loadf(slab.d[g][0] + o),
                       d1 = Vec::loadf(slab.d[g][0] + o + Vec::lanes);
            if constexpr (f.halves()) {
                Vec::Floats part[R][2];
                Vec::template dot<bits, R, 0, 4>(sums, x.q, g * group, codes);
                for (int r = 0; r < R; ++r) {
                    part[r][0] = Vec::mul(Vec::to_float(sums[r][0]), d0);
                    part[r][1] = Vec::mul(Vec::to_float(sums[r][1]), d1);
                }
                begin(1);
                Vec::template dot<bits, R, 4, 8>(sums, x.q, g * group, codes);
                const auto e0 = Vec::loadf(slab.d[g][1] + o);
                const auto e1 = Vec::loadf(slab.d[g][1] + o + Vec::lanes);
                for (int r = 0; r < R; ++r) {
                    const auto scale = Vec::broadcastf(x.scale[r] + g);
                    part[r][0] = Vec::fma(Vec::to_float(sums[r][0]), e0, part[r][0]);
                    part[r][1] = Vec::fma(Vec::to_float(sums[r][1]), e1, part[r][1]);
                    y[r][0] = Vec::fma(part[r][0], scale, y[r][0]);
                    y[r][1] = Vec::fma(part[r][1], scale, y[r][1]);
                }
            } else {
                Vec::template dot<bits, R, 0, 8>(sums, x.q, g * group, codes);
                for (int r = 0; r < R; ++r) {
                    const auto scale = Vec::broadcastf(x.scale[r] + g);
                    y[r][0] = Vec::fma(Vec::mul(Vec::to_float(sums[r][0]), d0), scale, y[r][0]);
                    y[r][1] = Vec::fma(Vec::mul(Vec::to_float(sums[r][1]), d1), scale, y[r][1]);
                }
            }
            if constexpr (f.mins()) {
                const auto m0 = Vec::loadf(slab.m[g] + o),
                           m1 = Vec::loadf(slab.m[g] + o + Vec::lanes);
                for (int r = 0; r < R; ++r) {
                    const auto sum = Vec::broadcastf(x.sum[r] + g);
                    y[r][0] = Vec::fnma(sum, m0, y[r][0]);
                    y[r][1] = Vec::fnma(sum, m1, y[r][1]);
                }
            }
        }
        for (int r = 0; r < R; ++r) {
            Vec::storef(acc + r * panel_outputs + o, y[r][0]);
            Vec::storef(acc + r * panel_outputs + o + Vec::lanes, y[r][1]);
        }
    }
}

template <DType type>
void gemm(const GemmArgs& a) {
    constexpr PackFormat f = pack_format(type);
    constexpr int rows_at_once = f.halves() ? Vec::rows_at_once_halves : Vec::rows_at_once;
    Slab slab;
    alignas(64) float acc[max_rows * panel_outputs];
    const int groups_per_row = a.x.inputs / group;
    const auto source = [&](int i) {
        return static_cast<ptrdiff_t>(a.rows == nullptr ? i : a.rows[i]);
    };
    for (int first = 0; first < a.count; first += max_rows) {
        const int count = std::min(max_rows, a.count - first);
        const int blocks = (count + rows_at_once - 1) / rows_at_once;
        const uint8_t* packed = a.panel;
        std::memset(acc, 0, sizeof(float) * static_cast<size_t>(count) * panel_outputs);
        for (int k = 0; k < a.x.inputs; k += slab_inputs) {
            const int groups = std::min(slab_groups, (a.x.inputs - k) / group);
            const SlabParts parts = slab_parts(f, packed, groups);
            unpack_scales<type>(parts, groups, slab);
            for (int g = 0; g < groups; ++g)
                unpack_codes<type>(parts.codes + g * f.code_bytes(),
                                   parts.high + g * f.high_bytes(),
                                   slab.codes[g],
                                   slab.start[g][0]);
            packed += f.slab_bytes(groups);
            for (int b = 0; b < blocks; ++b) {
                const int begin = count * b / blocks, size = count * (b + 1) / blocks - begin;
                unroll<rows_at_once>([&](auto i) {
                    constexpr int R = i + 1;
                    if (size != R) return;
                    Block<R> x;
                    for (int r = 0; r < R; ++r) {
                        const ptrdiff_t row = source(first + begin + r),
                                        at = row * groups_per_row + k / group;
                        x.q[r] = reinterpret_cast<const uint8_t*>(a.x.q) + row * a.x.inputs + k;
                        x.scale[r] = a.x.scale + at;
                        x.sum[r] = a.x.sum + at;
                    }
                    multiply<type, R>(slab, groups, x, acc + begin * panel_outputs);
                });
            }
        }
        for (int i = 0; i < count; ++i)
            std::memcpy(a.out + static_cast<ptrdiff_t>(first + i) * a.out_stride,
                        acc + i * panel_outputs,
                        sizeof(float) * static_cast<size_t>(a.outputs));
    }
}

void gemm_any(DType type, const GemmArgs& a) {
    switch (type) {
        case DType::q4_0: return gemm<DType::q4_0>(a);
        case DType::q4_1: return gemm<DType::q4_1>(a);
        case DType::q5_0: return gemm<DType::q5_0>(a);
        case DType::q5_1: return gemm<DType::q5_1>(a);
        case DType::q8_0: return gemm<DType::q8_0>(a);
        case DType::q4_k: return gemm<DType::q4_k>(a);
        case DType::q5_k: return gemm<DType::q5_k>(a);
        case DType::q6_k: return gemm<DType::q6_k>(a);
        case DType::iq4_nl: return gemm<DType::iq4_nl>(a);
        case DType::iq4_xs: return gemm<DType::iq4_xs>(a);
        case DType::mxfp4: return gemm<DType::mxfp4>(a);
        default: return;  // floats: not a matter of instruction sets
    }
}

int64_t dot_products(const uint8_t* memory, int rounds) {
    constexpr int R = Vec::rows_at_once;
    const auto* codes = reinterpret_cast<const int8_t*>(memory);
    const uint8_t* q[R];
    Vec::Ints sums[R][2];
    for (int r = 0; r < R; ++r) {
        q[r] = memory + 2048 + r * group;
        sums[r][0] = sums[r][1] = Vec::zero();
    }
    for (int i = 0; i < rounds; ++i) Vec::template dot<4, R, 0, 8>(sums, q, 0, codes);
    Vec::Ints sum = Vec::zero();
    for (int r = 0; r < R; ++r) sum = Vec::sub32(Vec::sub32(sum, sums[r][0]), sums[r][1]);
    int32_t kept[16];  // all zero, which the compiler cannot know of memory it must look at
    Vec::store(kept, sum);
    const int64_t products = static_cast<int64_t>(rounds) * R * group * 2 * Vec::lanes;
    return products + kept[0];
}

void quantize(const float* x, int begin, int end, int inputs, int8_t* q, float* scale, float* sum) {
    for (ptrdiff_t i = static_cast<ptrdiff_t>(begin) * inputs;
         i < static_cast<ptrdiff_t>(end) * inputs;
         i += group)
        Vec::quantize(x + i, q + i, scale + i / group, sum + i / group);
}

}  // namespace
}  // namespace sfumato::cpu
