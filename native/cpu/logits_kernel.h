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
    const Floats cap = fill(p.inverse_cap), factor = fill(p.factor);
    Floats highest = fill(-1e30f);
    for (int i = 0; i < 32; i += Vec::lanes) {
        const Floats v = Vec::mul(factor, tanh(Vec::mul(Vec::loadf(z + i), cap)));
        Vec::storef(z + i, v);
    }
    for (int i = p.width; i < 32; ++i) z[i] = -1e30f;
    for (int i = 0; i < 32; i += Vec::lanes) {
        const Floats v = Vec::loadf(z + i);
        highest = Vec::max(highest, v);
        const int lane = i % 16;
        const Floats max = Vec::loadf(s.max + lane);
        const auto above = Vec::greater(v, max);
        Vec::storef(s.max + lane, Vec::select(above, v, max));
        Vec::store(
            s.argmax + lane,
            Vec::select(above, Vec::count_from(p.first_token + i), Vec::load(s.argmax + lane)));
    }
    if (p.wanted != nullptr)
        p.wanted[row] = !Vec::any(Vec::not_less(highest, fill(p.threshold[row]))) ? 0 : 1;
    if (Vec::any(Vec::greater(highest, fill(s.reference + reach))))
        move_reference(s, Vec::largest(highest));
    const Floats reference = fill(s.reference);
    for (int i = 0; i < 32; i += Vec::lanes) {
        const Floats gap = Vec::max(fill(-87.0f), Vec::sub(Vec::loadf(z + i), reference));
        const Floats e = exp(gap);
        const int lane = i % 16;
        Vec::storef(s.total + lane, Vec::add(Vec::loadf(s.total + lane), e));
        Vec::storef(s.weighted + lane, Vec::fma(e, gap, Vec::loadf(s.weighted + lane)));
    }
}

void add_logits(const LogitsPanel& p, LogitLanes* lanes) {
    for (int r = 0; r < p.rows; ++r) add_row(p, p.z + r * panel_outputs, r, lanes[r]);
}

}  // namespace
}  // namespace sfumato::cpu
