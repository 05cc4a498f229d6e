#include "cpu/pack.h"

#include <algorithm>
#include <cstring>

namespace sfumato::cpu::packed {
namespace {

constexpr int outputs_per_panel = panel_outputs;

// Codes of a slab as the packed layout needs them: four inputs in a word.
struct RawCodes {
    uint32_t words[outputs_per_panel][slab_inputs / 4];

    uint8_t* row(int output) { return reinterpret_cast<uint8_t*>(words[output]); }
};

void put16(uint8_t* at, int index, const uint8_t* from) {
    std::memcpy(at + static_cast<ptrdiff_t>(index) * 2, from, 2);
}

void nibbles(const uint8_t* from, uint8_t* codes) {
    for (int j = 0; j < 16; ++j) {
        codes[j] = from[j] & 15;
        codes[j + 16] = from[j] >> 4;
    }
}

void fifth_bits(const uint8_t* from, uint8_t* codes) {
    uint32_t high;
    std::memcpy(&high, from, sizeof high);
    for (int j = 0; j < 32; ++j) codes[j] |= static_cast<uint8_t>(((high >> j) & 1u) << 4);
}

// One block of the file (of 32 or 256 inputs) of output o: scales to their places, codes to
// `codes`.
//   header: of the slab; scales: of the group
void take_block(
    DType type, const uint8_t* b, int o, uint8_t* header, uint8_t* scales, uint8_t* codes) {
    constexpr int n = outputs_per_panel;
    switch (type) {
        case DType::q4_0:
        case DType::iq4_nl:
            put16(scales, o, b);
            nibbles(b + 2, codes);
            return;
        case DType::q4_1:
            put16(scales, o, b);
            put16(scales, n + o, b + 2);
            nibbles(b + 4, codes);
            return;
        case DType::q5_0:
            put16(scales, o, b);
            nibbles(b + 6, codes);
            fifth_bits(b + 2, codes);
            return;
        case DType::q5_1:
            put16(scales, o, b);
            put16(scales, n + o, b + 2);
            nibbles(b + 8, codes);
            fifth_bits(b + 4, codes);
            return;
        case DType::q8_0:
            put16(scales, o, b);
            std::memcpy(codes, b + 2, 32);
            return;
        case DType::mxfp4:
            scales[o] = b[0];
            nibbles(b + 1, codes);
            return;
        case DType::q4_k:
        case DType::q5_k: {
            put16(header, o, b);
            put16(header, n + o, b + 2);
            for (int j = 0; j < 12; ++j) header[4 * n + j * n + o] = b[4 + j];
            const uint8_t* low = b + (type == DType::q4_k ? 16 : 48);
            for (int i = 0; i < 4; ++i)
                for (int l = 0; l < 32; ++l) {
                    codes[64 * i + l] = low[32 * i + l] & 15;
                    codes[64 * i + 32 + l] = low[32 * i + l] >> 4;
                }
            if (type == DType::q4_k) return;
            for (int g = 0; g < 8; ++g)
                for (int l = 0; l < 32; ++l)
                    codes[32 * g + l] |= static_cast<uint8_t>(((b[16 + l] >> g) & 1) << 4);
            return;
        }
        case DType::q6_k:
            put16(header, o, b + 208);
            for (int j = 0; j < 16; ++j) header[2 * n + j * n + o] = b[192 + j];
            for (int h = 0; h < 2; ++h) {
                const uint8_t* low = b + 64 * h;
                const uint8_t* high = b + 128 + 32 * h;
                uint8_t* out = codes + 128 * h;
                for (int l = 0; l < 32; ++l) {
                    out[l] = static_cast<uint8_t>((low[l] & 15) | ((high[l] & 3) << 4));
                    out[32 + l] = static_cast<uint8_t>((low[32 + l] & 15) | ((high[l] & 12) << 2));
                    out[64 + l] = static_cast<uint8_t>((low[l] >> 4) | (high[l] & 48));
                    out[96 + l] = static_cast<uint8_t>((low[32 + l] >> 4) | ((high[l] & 192) >> 2));
                }
            }
            return;
        case DType::iq4_xs: {
            put16(header, o, b);
            uint16_t scales_high;
            std::memcpy(&scales_high, b + 2, sizeof scales_high);
            for (int g = 0; g < 8; ++g) {
                header[2 * n + g * n + o] = static_cast<uint8_t>(
                    ((b[4 + g / 2] >> (4 * (g % 2))) & 15) | (((scales_high >> (2 * g)) & 3) << 4));
                nibbles(b + 8 + 16 * g, codes + 32 * g);
            }
            return;
        }
        default: return;
    }
}

void interleave(
    const PackFormat& f, const RawCodes& raw, int groups, uint8_t* codes, uint8_t* high) {
    constexpr uint32_t low_nibbles = 0x0f0f0f0fu;
    const uint32_t high_mask = f.bits == 5 ? 0x01010101u : 0x03030303u;
    const int high_bits = f.bits - 4, per_plane = f.bits == 8 ? 1 : 8 / std::max(1, high_bits);
    for (int g = 0; g < groups; ++g) {
        uint32_t words[256], planes[64] = {};
        for (int step = 0; step < 8; ++step) {
            const int k = g * 8 + step;
            if (f.bits == 8) {
                for (int o = 0; o < 32; ++o) words[step * 32 + o] = raw.words[o][k];
                continue;
            }
            for (int o = 0; o < 16; ++o)
                words[step * 16 + o] =
                    (raw.words[o][k] & low_nibbles) | ((raw.words[o + 16][k] & low_nibbles) << 4);
            if (high_bits == 0) continue;
            for (int side = 0; side < 2; ++side) {
                const int v = 2 * step + side;
                uint32_t* plane = planes + static_cast<ptrdiff_t>(v / per_plane) * 16;
                const int shift = v % per_plane * high_bits;
                for (int o = 0; o < 16; ++o)
                    plane[o] |= ((raw.words[o + 16 * side][k] >> 4) & high_mask) << shift;
            }
        }
        std::memcpy(codes + g * f.code_bytes(), words, static_cast<size_t>(f.code_bytes()));
        std::memcpy(high + g * f.high_bytes(), planes, static_cast<size_t>(f.high_bytes()));
    }
}

}  // namespace

size_t bytes(DType type, int outputs, int inputs) {
    const PackFormat f = pack_format(type);
    if (f.scales == Scales::none) return row_bytes(type, inputs) * static_cast<size_t>(outputs);
    const int panels = (outputs + panel_outputs - 1) / panel_outputs;
    return static_cast<size_t>(panels) * f.panel_bytes(inputs);
}

void pack_panel(const std::byte* source, const PackedMatrix& w, int panel) {
    const PackFormat f = pack_format(w.type);
    const size_t row = row_bytes(w.type, w.inputs);
    const int first = panel * panel_outputs, outputs = std::min(panel_outputs, w.outputs - first);
    source += static_cast<size_t>(first) * row;
    if (f.scales == Scales::none) {
        std::memcpy(
            w.data + static_cast<size_t>(first) * row, source, static_cast<size_t>(outputs) * row);
        return;
    }
    const Block block = block_of(w.type);
    const int groups_per_block = block.elements / group;
    auto* out =
        reinterpret_cast<uint8_t*>(w.data) + static_cast<size_t>(panel) * f.panel_bytes(w.inputs);
    RawCodes raw{};
    for (int k = 0; k < w.inputs; k += slab_inputs) {
        const int groups = std::min(slab_groups, (w.inputs - k) / group);
        const SlabParts parts = slab_parts(f, out, groups);
        uint8_t* header = out;
        uint8_t* scales = out + (parts.group_scales - out);
        if (outputs < panel_outputs) std::memset(out, 0, f.slab_bytes(groups));
        for (int o = 0; o < outputs; ++o) {
            const auto* b = reinterpret_cast<const uint8_t*>(source) +
                            static_cast<size_t>(o) * row +
                            static_cast<size_t>(k / block.elements * block.bytes);
            for (int g = 0; g < groups; g += groups_per_block, b += block.bytes)
                take_block(w.type,
                           b,
                           o,
                           header,
                           scales + g * f.group_scale_bytes(),
                           raw.row(o) + g * group);
        }
        interleave(f, raw, groups, out + (parts.codes - out), out + (parts.high - out));
        out += f.slab_bytes(groups);
    }
}

}  // namespace sfumato::cpu::packed
