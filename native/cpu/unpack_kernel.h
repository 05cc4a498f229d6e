// One output of a packed panel as floats, for embedding look-ups and self-conditioning.
#pragma once

#include "cpu/pack.h"

namespace sfumato::cpu {
namespace {

template <DType type>
void unpack_output(const uint8_t* slab, int inputs, int o, float* out) {
    constexpr PackFormat f = pack_format(type);
    constexpr int n = panel_outputs, per_plane = f.bits == 5 ? 8 : 4;
    constexpr uint32_t high_mask = f.bits == 5 ? 0x01010101u : 0x03030303u;
    const int side = o / 16, lane = o % 16;
    for (int k = 0; k < inputs; k += slab_inputs) {
        const int groups = inputs - k < slab_inputs ? (inputs - k) / group : slab_groups;
        const SlabParts parts = slab_parts(f, slab, groups);
        float d = 0.0f, m = 0.0f;
        if constexpr (f.header_bytes() != 0) d = Vec::half(parts.header + 2 * o);
        if constexpr (f.scales == Scales::k) m = Vec::half(parts.header + 2 * (n + o));
        for (int g = 0; g < groups; ++g, out += group) {
            float scale[2] = {d, d}, min = 0.0f;
            const uint8_t* scales = parts.group_scales + g * f.group_scale_bytes();
            if constexpr (f.scales == Scales::half || f.scales == Scales::half_min) {
                scale[0] = scale[1] = Vec::half(scales + 2 * o);
                if constexpr (f.mins()) min = -Vec::half(scales + 2 * (n + o));
            } else if constexpr (f.scales == Scales::k) {
                const uint8_t* s = parts.header + 4 * n + o;
                const int low = s[g % 4 * n], mid = s[(g % 4 + 4) * n], last = s[(g % 4 + 8) * n];
                scale[0] = scale[1] =
                    d * static_cast<float>(g < 4 ? low & 63 : (last & 15) | ((low >> 6) << 4));
                min = m * static_cast<float>(g < 4 ? mid & 63 : (last >> 4) | ((mid >> 6) << 4));
            } else if constexpr (f.scales == Scales::k16) {
                const auto* s =
                    reinterpret_cast<const int8_t*>(parts.header) + 2 * n + 2 * g * n + o;
                scale[0] = d * static_cast<float>(s[0]);
                scale[1] = d * static_cast<float>(s[n]);
            } else if constexpr (f.scales == Scales::xs) {
                scale[0] = scale[1] = d * static_cast<float>(parts.header[2 * n + g * n + o] - 32);
            } else {
                const uint32_t e = scales[o], bits = e < 2 ? 0x00200000u << e : (e - 1) << 23;
                std::memcpy(&scale[0], &bits, sizeof bits);
                scale[1] = scale[0];
            }
            const uint8_t* from = parts.codes + g * f.code_bytes();
            uint32_t words[8];
            for (int step = 0; step < 8; ++step) {
                if constexpr (f.bits == 8) {
                    std::memcpy(words + step, from + step * 128 + o * 4, 4);
                } else {
                    std::memcpy(words + step, from + step * 64 + lane * 4, 4);
                    words[step] = (words[step] >> (4 * side)) & 0x0f0f0f0fu;
                }
            }
            if constexpr (f.bits == 5 || f.bits == 6) {
                const uint8_t* high = parts.high + g * f.high_bytes();
                for (int step = 0; step < 8; ++step) {
                    uint32_t plane;
                    const int v = 2 * step + side;
                    std::memcpy(&plane, high + v / per_plane * 64 + lane * 4, 4);
                    words[step] |= ((plane >> (v % per_plane * (f.bits - 4))) & high_mask) << 4;
                }
            }
            int8_t codes[group];
            std::memcpy(codes, words, sizeof codes);
            if constexpr (f.table) {
                const int8_t* table = type == DType::mxfp4 ? mxfp4_values : iq4_values;
                for (int8_t& code : codes) code = table[code & 15];
            }
            for (int j = 0; j < group; ++j)
                out[j] = scale[j / 16] * static_cast<float>(codes[j] - f.offset) - min;
        }
        slab += f.slab_bytes(groups);
    }
}

void unpack_any(DType type, const uint8_t* panel, int inputs, int o, float* out) {
    switch (type) {
        case DType::q4_0: return unpack_output<DType::q4_0>(panel, inputs, o, out);
        case DType::q4_1: return unpack_output<DType::q4_1>(panel, inputs, o, out);
        case DType::q5_0: return unpack_output<DType::q5_0>(panel, inputs, o, out);
        case DType::q5_1: return unpack_output<DType::q5_1>(panel, inputs, o, out);
        case DType::q8_0: return unpack_output<DType::q8_0>(panel, inputs, o, out);
        case DType::q4_k: return unpack_output<DType::q4_k>(panel, inputs, o, out);
        case DType::q5_k: return unpack_output<DType::q5_k>(panel, inputs, o, out);
        case DType::q6_k: return unpack_output<DType::q6_k>(panel, inputs, o, out);
        case DType::iq4_nl: return unpack_output<DType::iq4_nl>(panel, inputs, o, out);
        case DType::iq4_xs: return unpack_output<DType::iq4_xs>(panel, inputs, o, out);
        case DType::mxfp4: return unpack_output<DType::mxfp4>(panel, inputs, o, out);
        default: return;  // floats are not packed
    }
}

}  // namespace
}  // namespace sfumato::cpu
