// Functions of floats in the vocabulary of one instruction set; see kernels.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/pack.h"

namespace sfumato::cpu {
namespace {

using Floats = Vec::Floats;

inline Floats fill(float x) { return Vec::broadcastf(&x); }

// Cephes' exp, error below 2e-7 of the result; stays at e^-87 below that, which no sum here can
// feel.
inline Floats exp(Floats x) {
    x = Vec::min(fill(88.0f), Vec::max(fill(-87.0f), x));  // in this order a NaN stays one
    const Vec::Whole n = Vec::nearest(Vec::mul(x, fill(1.44269504f)));
    const Floats whole = Vec::to_float(n);
    Floats r = Vec::fnma(whole, fill(0.693359375f), x);
    r = Vec::fnma(whole, fill(-2.12194440e-4f), r);
    Floats p = fill(1.9875691500e-4f);
    p = Vec::fma(p, r, fill(1.3981999507e-3f));
    p = Vec::fma(p, r, fill(8.3334519073e-3f));
    p = Vec::fma(p, r, fill(4.1665795894e-2f));
    p = Vec::fma(p, r, fill(1.6666665459e-1f));
    p = Vec::fma(p, r, fill(5.0000001201e-1f));
    p = Vec::add(Vec::fma(p, Vec::mul(r, r), r), fill(1.0f));
    return Vec::times_power_of_two(p, n);
}

inline Floats tanh(Floats x) {
    const Floats e = exp(Vec::add(x, x));
    return Vec::sub(fill(1.0f), Vec::div(fill(2.0f), Vec::add(e, fill(1.0f))));
}

// tanh form of GELU (MODEL.md 2.3).
inline Floats gelu(Floats z) {
    const Floats cube = Vec::mul(Vec::mul(z, z), z);
    const Floats t = tanh(Vec::mul(fill(0.7978845608f), Vec::fma(fill(0.044715f), cube, z)));
    return Vec::mul(Vec::mul(fill(0.5f), z), Vec::add(fill(1.0f), t));
}

void geglu(const float* gate, const float* up, int count, float* out) {
    int i = 0;
    for (; i + Vec::lanes <= count; i += Vec::lanes)
        Vec::storef(out + i, Vec::mul(gelu(Vec::loadf(gate + i)), Vec::loadf(up + i)));
    if (i == count) return;
    float g[Vec::lanes] = {}, u[Vec::lanes] = {};
    std::memcpy(g, gate + i, static_cast<size_t>(count - i) * sizeof(float));
    std::memcpy(u, up + i, static_cast<size_t>(count - i) * sizeof(float));
    Vec::storef(g, Vec::mul(gelu(Vec::loadf(g)), Vec::loadf(u)));
    std::memcpy(out + i, g, static_cast<size_t>(count - i) * sizeof(float));
}

void add_weighted(const float* const* rows, const float* weights, int count, int n, float* out) {
    constexpr int side_by_side = 4;
    int i = 0;
    const auto run = [&](auto vectors) {
        for (; i + vectors() * Vec::lanes <= n; i += vectors() * Vec::lanes) {
            Floats sums[vectors()];
            for (int v = 0; v < vectors(); ++v) sums[v] = Vec::loadf(out + i + v * Vec::lanes);
            for (int k = 0; k < count; ++k) {
                const Floats weight = fill(weights[k]);
                for (int v = 0; v < vectors(); ++v)
                    sums[v] = Vec::fma(weight, Vec::loadf(rows[k] + i + v * Vec::lanes), sums[v]);
            }
            for (int v = 0; v < vectors(); ++v) Vec::storef(out + i + v * Vec::lanes, sums[v]);
        }
    };
    run(std::integral_constant<int, side_by_side>{});
    run(std::integral_constant<int, 1>{});
    for (; i < n; ++i)
        for (int k = 0; k < count; ++k) out[i] += weights[k] * rows[k][i];
}

// out[i * out_stride + o] = x[i] · w[o] for R x O rows of n floats, n a multiple of Vec::lanes.
template <int R, int O>
void dot_block(
    const float* x, int x_stride, const float* w, int w_stride, int n, float* out, int out_stride) {
    Floats sums[R][O];
    for (int i = 0; i < R; ++i)
        for (int o = 0; o < O; ++o) sums[i][o] = fill(0.0f);
    for (int k = 0; k < n; k += Vec::lanes) {
        Floats b[O];
        for (int o = 0; o < O; ++o) b[o] = Vec::loadf(w + o * w_stride + k);
        for (int i = 0; i < R; ++i) {
            const Floats a = Vec::loadf(x + i * x_stride + k);
            for (int o = 0; o < O; ++o) sums[i][o] = Vec::fma(a, b[o], sums[i][o]);
        }
    }
    for (int i = 0; i < R; ++i) Vec::store_sums(out + i * out_stride, sums[i]);
}

// All pairs of rows, in blocks.
void dot_rows(const float* x,
              int rows,
              int x_stride,
              const float* w,
              int outputs,
              int w_stride,
              int n,
              float* out,
              int out_stride) {
    constexpr int R = 4, O = Vec::dot_outputs;
    for (int i = 0; i < rows; i += R)
        for (int o = 0; o < outputs; o += O) {
            const float* a = x + static_cast<ptrdiff_t>(i) * x_stride;
            const float* b = w + static_cast<ptrdiff_t>(o) * w_stride;
            float* to = out + static_cast<ptrdiff_t>(i) * out_stride + o;
            if (i + R <= rows && o + O <= outputs) {
                dot_block<R, O>(a, x_stride, b, w_stride, n, to, out_stride);
                continue;
            }
            for (int r = i; r < rows && r < i + R; ++r, a += x_stride, to += out_stride)
                for (int p = o; p < outputs && p < o + O; ++p)
                    dot_block<1, 1>(
                        a, x_stride, b + (p - o) * w_stride, w_stride, n, to + (p - o), out_stride);
        }
}

void float_product(const float* x, int rows, const float* w, int outputs, int n, float* out) {
    const int whole = n / Vec::lanes * Vec::lanes;
    dot_rows(x, rows, n, w, outputs, n, whole, out, outputs);
    if (whole == n) return;
    for (int i = 0; i < rows; ++i)
        for (int o = 0; o < outputs; ++o)
            for (int k = whole; k < n; ++k)
                out[i * outputs + o] +=
                    x[static_cast<ptrdiff_t>(i) * n + k] * w[static_cast<ptrdiff_t>(o) * n + k];
}

}  // namespace
}  // namespace sfumato::cpu
