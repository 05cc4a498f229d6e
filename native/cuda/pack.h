// The layout of a packed matrix on a GPU: what of the file's block formats goes where.
//
// W is cut into row tiles of 16 outputs, a row tile along the inputs into slabs of 256 (the last
// may have fewer: whole chunks of 64, filled up with zeros). A slab is one piece of memory,
//
//   scales   of its 16 rows, see Scales
//   codes    × chunks: 32 lanes × 16 bytes (32 bytes where a code has 8 bits)
//   low bits × chunks: 32 lanes × 4 or 8 bytes, of codes with 5 or 6 bits
//
// and in it every lane of a warp finds the operands of its mma.sync.m16n8k32 side by side. With
// g = lane / 4, t = lane % 4 and a chunk of two groups j of 32 inputs, register i of group j holds
//
//   row g (i even) or g + 8 (i odd),  inputs 32j + 8t + (i < 2 ? 0 … 3 : 4 … 7)
//
// The sum over inputs does not care that this is another order than the instruction's own, as long
// as activations come in the same; like this a lane finds its 8 activations in 8 consecutive bytes.
//
// Codes are kept as signed numbers, the format's offset (or half its range) taken off, the upper
// four bits of two registers in one word: i even in the low nibbles, i odd in the high ones.
// Unpacking leaves them in the upper bits of a signed byte, so that a code of b bits counts 2^(8 -
// b) fold; the scale makes up for it. Fifth bits: bit 4j + i of each byte; fifth and sixth: bits 2i
// and 2i + 1 of each byte of word j.
#pragma once

#include <cstddef>

#include "ops/matrix.h"

namespace sfumato::cuda {

inline constexpr int group = cpu::group;  // inputs that share one scale
inline constexpr int tile_rows = 16;
inline constexpr int chunk_inputs = 64;
inline constexpr int slab_chunks = 4;
inline constexpr int slab_inputs = slab_chunks * chunk_inputs;

// Where d and m of y = d · code + m come from. Pairs are rows g and g + 8.
enum class Scales : unsigned char {
    half,      // [group][g] pairs of f16 d
    half_min,  // [group][g] pairs of f16 d, f16 m
    single,    // [group][g] pairs of f32 d
    k,         // [g] pairs of the 16 bytes that begin a block of the file (Q4_K, Q5_K)
    k16,       // [group][g] pairs of two 8-bit scales, of 16 inputs each; [g] pairs of f16 d (Q6_K)
    none,      // no codes: rows of floats as in the file
};

struct Layout {
    Scales scales;
    int bits;  // of a code

    constexpr bool mins() const { return scales == Scales::half_min || scales == Scales::k; }
    constexpr int scale_bytes(int chunks) const {
        switch (scales) {
            case Scales::half: return 64 * chunks;
            case Scales::half_min:
            case Scales::single: return 128 * chunks;
            case Scales::k: return 256;
            case Scales::k16: return 256 + 32;
            default: return 0;
        }
    }
    constexpr int code_bytes() const { return bits == 8 ? 1024 : 512; }
    constexpr int low_bytes() const { return bits == 5 ? 128 : bits == 6 ? 256 : 0; }
    constexpr int slab_bytes(int chunks) const {
        return scale_bytes(chunks) + chunks * (code_bytes() + low_bytes());
    }
    constexpr size_t tile_bytes(int inputs) const {
        const int chunks = (inputs + chunk_inputs - 1) / chunk_inputs, tail = chunks % slab_chunks;
        return static_cast<size_t>(chunks / slab_chunks) * slab_bytes(slab_chunks) +
               (tail != 0 ? slab_bytes(tail) : 0);
    }
    // By how much unpacked codes are too large.
    constexpr float unit() const { return 1.0f / static_cast<float>(1 << (8 - bits)); }
    // What unpacking took off a code, to be put back as a minimum; 0 where the format does so
    // itself.
    constexpr float centre() const { return mins() ? static_cast<float>(1 << (bits - 1)) : 0.0f; }
};

constexpr Layout layout_of(DType type) {
    switch (type) {
        case DType::q4_0: return {Scales::half, 4};
        case DType::q4_1: return {Scales::half_min, 4};
        case DType::q5_0: return {Scales::half, 5};
        case DType::q5_1: return {Scales::half_min, 5};
        case DType::q8_0: return {Scales::half, 8};
        case DType::q4_k: return {Scales::k, 4};
        case DType::q5_k: return {Scales::k, 5};
        case DType::q6_k: return {Scales::k16, 6};
        // Codes are values of a table: looked up at load, 8 bits each.
        case DType::iq4_nl: return {Scales::half, 8};
        case DType::iq4_xs:
        case DType::mxfp4: return {Scales::single, 8};
        default: return {Scales::none, 32};
    }
}

constexpr bool has_codes(DType type) { return layout_of(type).scales != Scales::none; }

// Bytes of a packed matrix.
size_t packed_bytes(DType type, int outputs, int inputs);

}  // namespace sfumato::cuda
