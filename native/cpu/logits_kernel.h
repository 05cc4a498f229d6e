// One panel of logits: soft cap, temperature, and each row's sums, while they are in the cache.
#pragma once

#include "cpu/vector_kernel.h"

namespace sfumato::cpu {
namespace {

// Larger exponents would lose the sums' precision or overflow: then the reference moves.
constexpr float reach = 20.0f;

inline void move_reference(LogitLanes& s, float reference) {
    const float gap = s.reference - reference;
    const Floats shrink = exp(fill(gap));
    for (int i = 0; i < 16; i += Vec::lanes) {
        const Floats total = Vec::loadf(s.total + i), weighted = Vec::loadf(s.weighted + i);
        Vec::storef(s.total + i, Vec::mul(total, shrink));
        Vec::storef(s.weighted + i, Vec::mul(Vec::fma(total, fill(gap), weighted), shrink));
    }
    s.reference = reference;
}

inline void add_row(const LogitsPanel& p, float* z, int row, LogitLanes& s) {
    constexpr int vectors = 32 / Vec::lanes, lanes = 16 / Vec::lanes;
    const Floats cap = fill(p.inverse_cap), factor = fill(p.factor);
    Floats v[vectors];
    for (int i = 0; i < vectors; ++i) {
        v[i] = Vec::mul(factor, tanh(Vec::mul(Vec::loadf(z + i * Vec::lanes), cap)));
        Vec::storef(z + i * Vec::lanes, v[i]);
    }
    if (p.width < 32) {
        for (int i = p.width; i < 32; ++i) z[i] = -1e30f;
        for (int i = 0; i < vectors; ++i) v[i] = Vec::loadf(z + i * Vec::lanes);
    }
    if (p.wanted != nullptr) {
        const Floats threshold = fill(p.threshold[row]);
        uint32_t wanted = 0;
        for (int i = 0; i < vectors; ++i)
            wanted |= Vec::bits(Vec::not_less(v[i], threshold)) << (i * Vec::lanes);
        p.wanted[row] = wanted & (~0u >> (32 - p.width));
    }
    Floats highest = fill(-1e30f);
    for (int lane = 0; lane < lanes; ++lane) {
        Floats top = v[lane];
        for (int i = lane + lanes; i < vectors; i += lanes) top = Vec::max(top, v[i]);
        highest = Vec::max(highest, top);
        float* max = s.max + lane * Vec::lanes;
        if (!Vec::any(Vec::greater(top, Vec::loadf(max)))) continue;  // soon the usual case
        for (int i = lane; i < vectors; i += lanes) {
            const auto above = Vec::greater(v[i], Vec::loadf(max));
            int32_t* argmax = s.argmax + lane * Vec::lanes;
            Vec::storef(max, Vec::select(above, v[i], Vec::loadf(max)));
            Vec::store(
                argmax,
                Vec::select(
                    above, Vec::count_from(p.first_token + i * Vec::lanes), Vec::load(argmax)));
        }
    }
    if (Vec::any(Vec::greater(highest, fill(s.reference + reach))))
        move_reference(s, Vec::largest(highest));
    const Floats reference = fill(s.reference);
    for (int lane = 0; lane < lanes; ++lane) {
        float *to = s.total + lane * Vec::lanes, *weighted_to = s.weighted + lane * Vec::lanes;
        Floats total = Vec::loadf(to), weighted = Vec::loadf(weighted_to);
        for (int i = lane; i < vectors; i += lanes) {
            const Floats gap = Vec::max(fill(-87.0f), Vec::sub(v[i], reference));
            const Floats e = exp(gap);
            total = Vec::add(total, e);
            weighted = Vec::fma(e, gap, weighted);
        }
        Vec::storef(to, total);
        Vec::storef(weighted_to, weighted);
    }
}

void add_logits(const LogitsPanel& p, LogitLanes* lanes) {
    for (int r = 0; r < p.rows; ++r) add_row(p, p.z + r * panel_outputs, r, lanes[r]);
}

}  // namespace
}  // namespace sfumato::cpu
