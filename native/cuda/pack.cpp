#include "cuda/pack.h"

#include <algorithm>
#include <cstring>

namespace sfumato::cuda {
namespace {

// 32 inputs of one row: signed codes, and what they are worth.
struct Group {
    int8_t code[group];
    uint8_t scale[4];  // `half`, `half_min`, `single`: as they are stored
    int8_t sixteenth[2];
};

void put16(uint8_t* to, const uint8_t* from) { std::memcpy(to, from, 2); }

// Bit j of four bytes.
int bit(const uint8_t* bytes, int j) { return bytes[j / 8] >> (j % 8) & 1; }

// Group `index` of a block, for types whose blocks are one group.
void read_small(DType type, const uint8_t* b, Group& out) {
    const auto nibble = [](const uint8_t* codes, int j) {
        return j < 16 ? codes[j] & 15 : codes[j - 16] >> 4;
    };
    for (int j = 0; j < group; ++j) {
        int code = 0;
        switch (type) {
            case DType::q4_0: code = nibble(b + 2, j) - 8; break;
            case DType::q4_1: code = nibble(b + 4, j) - 8; break;
            case DType::q5_0: code = (nibble(b + 6, j) | bit(b + 2, j) << 4) - 16; break;
            case DType::q5_1: code = (nibble(b + 8, j) | bit(b + 4, j) << 4) - 16; break;
            case DType::q8_0: code = static_cast<int8_t>(b[2 + j]); break;
            case DType::iq4_nl: code = iq4_values[nibble(b + 2, j)]; break;
            default: code = mxfp4_values[nibble(b + 1, j)]; break;
        }
        out.code[j] = static_cast<int8_t>(code);
    }
    if (type == DType::mxfp4) {
        const float d = mxfp4_scale(b[0]);
        std::memcpy(out.scale, &d, sizeof d);
        return;
    }
    put16(out.scale, b);
    if (layout_of(type).mins()) put16(out.scale + 2, b + 2);
}

// Group `index` of a block of 256.
void read_large(DType type, const uint8_t* b, int index, Group& out) {
    for (int j = 0; j < group; ++j) {
        int code = 0;
        switch (type) {
            case DType::q4_k:
            case DType::q5_k: {
                const uint8_t* codes = b + (type == DType::q4_k ? 16 : 48) + index / 2 * 32;
                code = index % 2 == 0 ? codes[j] & 15 : codes[j] >> 4;
                if (type == DType::q5_k) code |= (b[16 + j] >> index & 1) << 4;
                code -= type == DType::q4_k ? 8 : 16;
                break;
            }
            case DType::q6_k: {
                const int half = index / 4, i = index % 4;
                const uint8_t low = b[64 * half + (i % 2) * 32 + j];
                const uint8_t high = b[128 + 32 * half + j];
                code = ((i < 2 ? low & 15 : low >> 4) | (high >> (2 * i) & 3) << 4) - 32;
                break;
            }
            default: {
                const uint8_t pair = b[8 + 16 * index + j % 16];
                code = iq4_values[j < 16 ? pair & 15 : pair >> 4];
            }
        }
        out.code[j] = static_cast<int8_t>(code);
    }
    if (type == DType::q6_k)
        for (int half = 0; half < 2; ++half)
            out.sixteenth[half] = static_cast<int8_t>(b[192 + 2 * index + half]);
    if (type == DType::iq4_xs) {
        uint16_t d, high;
        std::memcpy(&d, b, 2);
        std::memcpy(&high, b + 2, 2);
        const int scale = (b[4 + index / 2] >> (4 * (index % 2)) & 15) | (high >> (2 * index) & 3)
                                                                             << 4;
        const float worth = half_to_float(d) * static_cast<float>(scale - 32);
        std::memcpy(out.scale, &worth, sizeof worth);
    }
}

// Puts a group's codes where their lanes look for them: chunk `chunk`, group j of it, row of the
// tile.
void put_codes(const Layout& f, const Group& from, uint8_t* codes, uint8_t* low, int row, int j) {
    const int g = row % 8, upper_row = row / 8;
    for (int k = 0; k < group; ++k) {
        const int lane = 4 * g + k / 8, byte = k % 4, i = upper_row + (k % 8 < 4 ? 0 : 2);
        const auto code = static_cast<uint8_t>(from.code[k]);
        if (f.bits == 8) {
            codes[32 * lane + 16 * j + 4 * i + byte] = code;
            continue;
        }
        const auto top =
            static_cast<uint8_t>(code << (8 - f.bits));  // its upper four bits are kept here
        uint8_t& pair = codes[16 * lane + 8 * j + 4 * (i / 2) + byte];
        pair = static_cast<uint8_t>(pair | (i % 2 == 0 ? top >> 4 : top & 0xf0));
        if (f.bits == 5) {
            uint8_t& bits = low[4 * lane + byte];
            bits = static_cast<uint8_t>(bits | (code & 1) << (4 * j + i));
        } else if (f.bits == 6) {
            uint8_t& bits = low[8 * lane + 4 * j + byte];
            bits = static_cast<uint8_t>(bits | (code & 3) << (2 * i));
        }
    }
}

void put_scales(const Layout& f, const Group& from, uint8_t* scales, int row, int index) {
    const int g = row % 8, upper = row / 8;
    const int at = (index * 8 + g) * 2 + upper;
    switch (f.scales) {
        case Scales::half: put16(scales + 2 * at, from.scale); break;
        case Scales::half_min:
        case Scales::single: std::memcpy(scales + 4 * at, from.scale, 4); break;
        case Scales::k16: std::memcpy(scales + 2 * at, from.sixteenth, 2); break;
        default: break;
    }
}

// Scales that a block of 256 shares.
void put_block_scales(const Layout& f, const uint8_t* block, uint8_t* scales, int row) {
    const int at = row % 8 * 2 + row / 8;
    if (f.scales == Scales::k) std::memcpy(scales + 16 * at, block, 16);
    if (f.scales == Scales::k16) put16(scales + 256 + 2 * at, block + 208);
}

void pack_tile(const uint8_t* source, const Matrix& w, int tile, uint8_t* to) {
    const Layout f = layout_of(w.type);
    const Block block = block_of(w.type);
    const size_t row_size = row_bytes(w.type, w.inputs);
    std::memset(to, 0, f.tile_bytes(w.inputs));
    for (int k = 0; k < w.inputs; k += slab_inputs) {
        const int chunks = std::min(slab_chunks, (w.inputs - k + chunk_inputs - 1) / chunk_inputs);
        const int groups = std::min(slab_inputs, w.inputs - k) / group;
        uint8_t* codes = to + f.scale_bytes(chunks);
        uint8_t* low = codes + chunks * f.code_bytes();
        for (int row = 0; row < std::min(tile_rows, w.outputs - tile * tile_rows); ++row) {
            const uint8_t* from = source + static_cast<size_t>(tile * tile_rows + row) * row_size +
                                  row_bytes(w.type, k);
            for (int index = 0; index < groups; ++index) {
                Group one;
                if (block.elements == group)
                    read_small(w.type, from + index * block.bytes, one);
                else
                    read_large(w.type, from, index, one);
                const int chunk = index / 2;
                put_codes(f,
                          one,
                          codes + chunk * f.code_bytes(),
                          low + chunk * f.low_bytes(),
                          row,
                          index % 2);
                put_scales(f, one, to, row, index);
            }
            put_block_scales(f, from, to, row);
        }
        to += f.slab_bytes(chunks);
    }
}

}  // namespace

size_t packed_bytes(DType type, int outputs, int inputs) {
    if (!has_codes(type)) return static_cast<size_t>(outputs) * row_bytes(type, inputs);
    const int tiles = (outputs + tile_rows - 1) / tile_rows;
    return static_cast<size_t>(tiles) * layout_of(type).tile_bytes(inputs);
}

size_t packed_bytes(const Matrix& w) { return packed_bytes(w.type, w.outputs, w.inputs); }

void pack_panel(const std::byte* source, const Matrix& w, int panel) {
    const int first = panel * cpu::panel_outputs,
              end = std::min(first + cpu::panel_outputs, w.outputs);
    if (!has_codes(w.type)) {
        const size_t row = row_bytes(w.type, w.inputs), at = static_cast<size_t>(first) * row;
        std::memcpy(w.data + at, source + at, static_cast<size_t>(end - first) * row);
        return;
    }
    const size_t bytes = layout_of(w.type).tile_bytes(w.inputs);
    for (int tile = first / tile_rows; tile * tile_rows < end; ++tile)
        pack_tile(reinterpret_cast<const uint8_t*>(source),
                  w,
                  tile,
                  reinterpret_cast<uint8_t*>(w.data) + static_cast<size_t>(tile) * bytes);
}

}  // namespace sfumato::cuda
