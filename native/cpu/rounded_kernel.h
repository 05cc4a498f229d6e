// Products with weights that are rounded to 8 bits once more, 127 steps to the largest of an
// output's 256 inputs in a slab. Then a group of inputs costs one float operation a vector beside
// its dot products, whatever the type: its activations' scale. The scale of the weights comes once
// a slab, minimums not at all. Unpacking costs more, so this is for matrices that many rows share.
//
// The rounding is a fraction of what 4 to 6 bits have lost before, and about as large as the
// activations': together 8.1e-3 of a product, activations alone 5.3e-3.
//
//   code' = round(code · ratio + offset), code around zero
//   ratio = d · 127 / largest, offset = what minimums leave of the middle · 127 / largest
//
// in 16-bit numbers: codes are shifted until they fill a byte, so that the ratio is below one.
#pragma once

#include <array>

#include "cpu/gemm_kernel.h"
#include "cpu/vector_kernel.h"

namespace sfumato::cpu {
namespace {

struct alignas(64) RoundedSlab {
    template <DType>
    static constexpr int rows_at_once = 6;

    int8_t codes[slab_groups][1024];            // [step 8][output 32][input 4]
    int32_t start[slab_groups][panel_outputs];  // -128 · Σ code of a group
    float step[panel_outputs];                  // weight = step · code
    // While it is unpacked: scales of the file's codes, and the 16-bit numbers, twice in a word.
    float d[slab_groups][2][panel_outputs];
    float m[slab_groups][panel_outputs];
    int32_t ratio[slab_groups][2][panel_outputs];
    int32_t offset[slab_groups][panel_outputs];
};

constexpr auto mxfp4_eighths = [] {
    std::array<int8_t, 16> values{};
    for (size_t i = 0; i < 16; ++i) values[i] = static_cast<int8_t>(8 * mxfp4_values[i]);
    return values;
}();

// Bits by which codes are shifted up.
constexpr int spare_bits(DType type) {
    const PackFormat f = pack_format(type);
    if (type == DType::mxfp4) return 3;
    return f.table ? 0 : 8 - f.bits;
}

template <DType type>
inline void round_scales(int groups, RoundedSlab& slab) {
    constexpr PackFormat f = pack_format(type);
    constexpr int halves = f.halves() ? 2 : 1, spare = spare_bits(type);
    constexpr float unit = 1.0f / (1 << spare);
    for (int o = 0; o < panel_outputs; o += Vec::lanes) {
        Floats largest = fill(1e-30f);
        for (int g = 0; g < groups; ++g)
            for (int half = 0; half < halves; ++half) {
                const Floats d = Vec::loadf(slab.d[g][half] + o);
                largest = Vec::max(largest, Vec::abs(Vec::mul(d, fill(128.0f * unit))));
                if constexpr (f.mins()) {
                    const Floats low = Vec::sub(fill(0.0f), Vec::loadf(slab.m[g] + o));
                    const Floats high = Vec::fma(d, fill((1 << f.bits) - 1), low);
                    largest = Vec::max(largest, Vec::max(Vec::abs(low), Vec::abs(high)));
                }
            }
        const Floats inverse = Vec::div(fill(127.0f), largest);
        Vec::storef(slab.step + o, Vec::mul(largest, fill(1.0f / 127.0f)));
        for (int g = 0; g < groups; ++g) {
            for (int half = 0; half < halves; ++half) {
                const Floats ratio = Vec::mul(Vec::loadf(slab.d[g][half] + o), inverse);
                Vec::store(slab.ratio[g][half] + o,
                           Vec::twice16(Vec::to_int(Vec::mul(ratio, fill(32768.0f * unit)))));
            }
            if constexpr (f.mins()) {
                // Of codes that are signed.
                const Floats centre = Vec::fma(Vec::loadf(slab.d[g][0] + o),
                                               fill(1 << (f.bits - 1)),
                                               Vec::sub(fill(0.0f), Vec::loadf(slab.m[g] + o)));
                const Floats offset = Vec::mul(Vec::mul(centre, inverse), fill(256.0f));
                Vec::store(slab.offset[g] + o,
                           Vec::twice16(Vec::to_int(Vec::add(offset, fill(128.0f)))));
            }
        }
    }
}

template <DType type>
inline void round_codes(const uint8_t* codes, const uint8_t* high, int g, RoundedSlab& slab) {
    constexpr PackFormat f = pack_format(type);
    constexpr int spare = spare_bits(type);
    Vec::Ints sum[2] = {Vec::zero(), Vec::zero()};
    unroll<8>([&](auto step) {
        constexpr int half = f.halves() ? step / 4 : 0;
        unroll<2>([&](auto side) {
            constexpr int v = 2 * step + side;
            Vec::Ints code;
            if constexpr (f.bits == 8) {
                code = Vec::load(codes + v * 64);
            } else {
                const auto packed = Vec::load(codes + step * 64);
                code = Vec::and_(side == 0 ? packed : Vec::template shift_right<4>(packed),
                                 Vec::set8(15));
            }
            if constexpr (f.bits == 5 || f.bits == 6)
                code = Vec::or_(code, high_bits<f.bits, v>(high, 0));
            if constexpr (type == DType::mxfp4)
                code = Vec::look_up(Vec::table(mxfp4_eighths.data()), code);
            else if constexpr (f.table)
                code = Vec::look_up(Vec::table(iq4_values), code);
            else if constexpr (f.bits != 8)
                code = Vec::xor_(Vec::template shift_left<spare>(code), Vec::set8(-128));
            const auto ratio = Vec::load(slab.ratio[g][half] + 16 * side);
            const auto offset = f.mins() ? Vec::load(slab.offset[g] + 16 * side) : Vec::set16(128);
            code = Vec::scale_codes(code, ratio, offset);
            Vec::store(slab.codes[g] + v * 64, code);
            sum[side] = Vec::add_128_times(sum[side], code);
        });
    });
    for (int side = 0; side < 2; ++side)
        Vec::store(slab.start[g] + 16 * side, Vec::sub32(Vec::zero(), sum[side]));
}

template <DType type>
void unpack(const uint8_t* packed, int groups, RoundedSlab& slab) {
    constexpr PackFormat f = pack_format(type);
    const SlabParts parts = slab_parts(f, packed, groups);
    unpack_scales<type>(parts, groups, slab);
    round_scales<type>(groups, slab);
    for (int g = 0; g < groups; ++g)
        round_codes<type>(
            parts.codes + g * f.code_bytes(), parts.high + g * f.high_bytes(), g, slab);
}

// Adds the products of a slab with R rows to acc [R][32].
template <DType, int R>
void multiply(const RoundedSlab& slab, int groups, const Block<R>& x, float* acc) {
    Vec::Floats y[R][2];
    for (int r = 0; r < R; ++r) y[r][0] = y[r][1] = fill(0.0f);
    for (int g = 0; g < groups; ++g) {
        Vec::Ints sums[R][2];
        const auto s0 = Vec::load(slab.start[g]), s1 = Vec::load(slab.start[g] + Vec::lanes);
        for (int r = 0; r < R; ++r) {
            sums[r][0] = s0;
            sums[r][1] = s1;
        }
        Vec::template dot<8, R, 0, 8>(sums, x.q, g * group, slab.codes[g]);
        for (int r = 0; r < R; ++r) {
            const auto scale = Vec::broadcastf(x.scale[r] + g);
            y[r][0] = Vec::fma(Vec::to_float(sums[r][0]), scale, y[r][0]);
            y[r][1] = Vec::fma(Vec::to_float(sums[r][1]), scale, y[r][1]);
        }
    }
    const auto d0 = Vec::loadf(slab.step), d1 = Vec::loadf(slab.step + Vec::lanes);
    for (int r = 0; r < R; ++r) {
        float* to = acc + r * panel_outputs;
        Vec::storef(to, Vec::fma(y[r][0], d0, Vec::loadf(to)));
        Vec::storef(to + Vec::lanes, Vec::fma(y[r][1], d1, Vec::loadf(to + Vec::lanes)));
    }
}

}  // namespace
}  // namespace sfumato::cpu
