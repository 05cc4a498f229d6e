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

#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "cpu/slab_kernel.h"

namespace sfumato::cpu {
namespace {

// Rows of one block.
template <int R>
struct Block {
    const uint8_t* q[R];
    const float* scale[R];
    const float* sum[R];
};

template <DType type>
void unpack(const uint8_t* packed, int groups, Slab& slab) {
    unpack_slab<type, true>(packed, groups, slab);
}

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

template <DType type, class Unpacked>
void gemm(const GemmArgs& a) {
    constexpr PackFormat f = pack_format(type);
    constexpr int most = Unpacked::template rows_at_once<type>;
    Unpacked slab;
    alignas(64) float acc[max_rows * panel_outputs];
    const int groups_per_row = a.x.inputs / group;
    const auto source = [&](int i) {
        return static_cast<ptrdiff_t>(a.rows == nullptr ? i : a.rows[i]);
    };
    for (int first = 0; first < a.count; first += max_rows) {
        const int count = std::min(max_rows, a.count - first);
        const int blocks = (count + most - 1) / most;
        const uint8_t* packed = a.panel;
        std::memset(acc, 0, sizeof(float) * static_cast<size_t>(count) * panel_outputs);
        for (int k = 0; k < a.x.inputs; k += slab_inputs) {
            const int groups = std::min(slab_groups, (a.x.inputs - k) / group);
            unpack<type>(packed, groups, slab);
            packed += f.slab_bytes(groups);
            const bool last = k + slab_inputs >= a.x.inputs && first + max_rows >= a.count;
            const uint8_t* next = last && a.next != nullptr ? a.next : packed;
            for (int b = 0; b < blocks; ++b) {
                prefetch_part<type>(next, b, blocks);
                const int begin = count * b / blocks, size = count * (b + 1) / blocks - begin;
                unroll<most>([&](auto i) {
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

template <class Unpacked>
void gemm_any(DType type, const GemmArgs& a) {
    for_packed_type(type, [&](auto constant) { gemm<constant(), Unpacked>(a); });
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
    // From two places in turn: of one, the products would be the same in every round, and gcc
    // would leave them out.
    for (int i = 0; i < rounds; ++i) Vec::template dot<4, R, 0, 8>(sums, q, i % 2 * 4, codes);
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
