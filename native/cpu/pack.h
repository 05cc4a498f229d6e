// The layout of a packed matrix for the fast products: what of the file's block formats goes where.
//
// A panel holds 32 rows of W (outputs), cut along the inputs into slabs of 256. A slab is
//
//   header          scales and minimums that a block of 256 inputs shares, as the file has them
//   group scales    × groups: scales of 32 inputs
//   codes           × groups: the low four bits, or all eight
//   high bits       × groups: the fifth, or fifth and sixth bit
//
// with everything of the 32 outputs side by side. Codes stand as integer dot products read them:
// four consecutive inputs of output 0, the same four of output 1, … (a step; eight steps are a
// group). Packing moves bits and never adds any, so a packed matrix takes the bytes of the file's.
//
//   low four bits  [step 8][output 16][input 4] bytes; low nibble: outputs 0 … 15, high nibble: 16
//   … 31 fifth bit      [plane 2][output 16][input 4] bytes; bit b of plane p: vector v = 8p + b
//   bits 5 and 6   [plane 4][output 16][input 4] bytes; bits 2b and 2b + 1 of plane p: vector v =
//   4p + b eight bits     [step 8][output 32][input 4] bytes
//
// where vector v = 2 · step + (output / 16) is the 64 codes of 16 outputs in one step.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/gemm.h"

namespace sfumato::cpu {

inline constexpr int slab_groups = 8;
inline constexpr int slab_inputs = slab_groups * group;

// Where the scale d and the minimum m of y = d · (code - offset) - m come from.
enum class Scales : uint8_t {
    half,      // f16 d per group
    half_min,  // f16 d and f16 -m per group
    k,         // f16 d, f16 m per slab; 6-bit scale and minimum per group (Q4_K, Q5_K)
    k16,       // f16 d per slab; signed 8-bit scale per 16 inputs (Q6_K)
    xs,        // f16 d per slab; scale + 32 in a byte per group (IQ4_XS)
    exponent,  // d = 2^(e - 128) per group (MXFP4)
    none,      // not integer codes: rows of floats, as the file has them
};

struct PackFormat {
    Scales scales;
    int bits;    // of a code
    int offset;  // subtracted from a code
    bool table;  // the code is an index of 16 signed values

    constexpr bool mins() const { return scales == Scales::half_min || scales == Scales::k; }
    constexpr bool halves() const { return scales == Scales::k16; }

    constexpr int header_bytes() const {
        switch (scales) {
            case Scales::k: return (2 * 2 + 12) * panel_outputs;
            case Scales::k16: return (2 + 16) * panel_outputs;
            case Scales::xs: return (2 + 8) * panel_outputs;
            default: return 0;
        }
    }
    constexpr int group_scale_bytes() const {
        switch (scales) {
            case Scales::half: return 2 * panel_outputs;
            case Scales::half_min: return 4 * panel_outputs;
            case Scales::exponent: return panel_outputs;
            default: return 0;
        }
    }
    constexpr int code_bytes() const { return bits == 8 ? 1024 : 512; }
    constexpr int high_bytes() const { return bits == 5 ? 128 : bits == 6 ? 256 : 0; }
    constexpr size_t slab_bytes(int groups) const {
        return static_cast<size_t>(header_bytes() +
                                   groups * (group_scale_bytes() + code_bytes() + high_bytes()));
    }
    constexpr size_t panel_bytes(int inputs) const {
        const int groups = inputs / group, tail = groups % slab_groups;
        return static_cast<size_t>(groups / slab_groups) * slab_bytes(slab_groups) +
               (tail != 0 ? slab_bytes(tail) : 0);
    }
};

constexpr PackFormat pack_format(DType type) {
    switch (type) {
        case DType::q4_0: return {Scales::half, 4, 8, false};
        case DType::q4_1: return {Scales::half_min, 4, 0, false};
        case DType::q5_0: return {Scales::half, 5, 16, false};
        case DType::q5_1: return {Scales::half_min, 5, 0, false};
        case DType::q8_0: return {Scales::half, 8, 0, false};
        case DType::q4_k: return {Scales::k, 4, 0, false};
        case DType::q5_k: return {Scales::k, 5, 0, false};
        case DType::q6_k: return {Scales::k16, 6, 32, false};
        case DType::iq4_nl: return {Scales::half, 4, 0, true};
        case DType::iq4_xs: return {Scales::xs, 4, 0, true};
        case DType::mxfp4: return {Scales::exponent, 4, 0, true};
        default: return {Scales::none, 32, 0, false};
    }
}

// A slab's parts, `groups` of them in use.
struct SlabParts {
    const uint8_t* header;
    const uint8_t* group_scales;
    const uint8_t* codes;
    const uint8_t* high;
};

constexpr SlabParts slab_parts(const PackFormat& f, const uint8_t* slab, int groups) {
    const uint8_t* scales = slab + f.header_bytes();
    const uint8_t* codes = scales + groups * f.group_scale_bytes();
    return {slab, scales, codes, codes + groups * f.code_bytes()};
}

namespace packed {
size_t bytes(DType type, int outputs, int inputs);
void pack_panel(const std::byte* source, const PackedMatrix& w, int panel);
}  // namespace packed

}  // namespace sfumato::cpu
