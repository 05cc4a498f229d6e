// The AMX instructions that kernels_amx.cpp uses, in plain C++ by the definitions of Intel's manual
// (Software Developer's Manual, volume 2): proves its arithmetic and its use of tiles where no
// processor has them (SFUMATO_EMULATE_AMX), not its speed. What a processor answers with a fault
// ends the program with the fault's name. tests/native/tile_check.cpp judges it, and a processor
// with AMX in the same words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sfumato::emulated {

struct Tiles {
    static constexpr int count = 8, max_rows = 16, max_bytes = 64;
    bool configured = false;
    int rows[count] = {}, bytes[count] = {};
    uint8_t data[count][max_rows][max_bytes] = {};
};

inline thread_local Tiles tiles;  // registers are a thread's

inline void fault_if(bool wrong, const char* what) {
    if (!wrong) return;
    std::fprintf(stderr, "AMX: %s\n", what);
    std::abort();
}

inline void use(int tile) {
    fault_if(!tiles.configured, "no tile configuration");
    fault_if(tiles.rows[tile] == 0 || tiles.bytes[tile] == 0, "a tile that is not configured");
}

inline void load_config(const void* memory) {
    const auto* bytes = static_cast<const uint8_t*>(memory);
    tiles = Tiles{};
    if (bytes[0] == 0) return;
    fault_if(bytes[0] != 1, "an unknown palette");
    for (int i = 2; i < 16; ++i) fault_if(bytes[i] != 0, "reserved bytes in a configuration");
    for (int t = 0; t < 16; ++t) {
        uint16_t row_bytes;
        std::memcpy(&row_bytes, bytes + 16 + 2 * t, sizeof row_bytes);
        const int rows = bytes[48 + t];
        fault_if(t >= Tiles::count && (rows != 0 || row_bytes != 0), "more than eight tiles");
        if (t >= Tiles::count) continue;
        fault_if(rows > Tiles::max_rows || row_bytes > Tiles::max_bytes,
                 "a tile that is too large");
        fault_if((rows == 0) != (row_bytes == 0), "a tile with rows or columns only");
        tiles.rows[t] = rows;
        tiles.bytes[t] = row_bytes;
    }
    tiles.configured = true;
}

inline void release() { tiles = Tiles{}; }

inline void zero(int tile) {
    use(tile);
    std::memset(tiles.data[tile], 0, sizeof tiles.data[tile]);
}

inline void load(int tile, const void* memory, ptrdiff_t stride) {
    zero(tile);
    for (int r = 0; r < tiles.rows[tile]; ++r)
        std::memcpy(tiles.data[tile][r],
                    static_cast<const uint8_t*>(memory) + r * stride,
                    static_cast<size_t>(tiles.bytes[tile]));
}

inline void store(int tile, void* memory, ptrdiff_t stride) {
    use(tile);
    for (int r = 0; r < tiles.rows[tile]; ++r)
        std::memcpy(static_cast<uint8_t*>(memory) + r * stride,
                    tiles.data[tile][r],
                    static_cast<size_t>(tiles.bytes[tile]));
}

// sums [M][N] of 32 bits += a [M][K / 4][4] · b [K / 4][N][4], both of signed bytes; sums wrap.
inline void dot_signed(int sums, int a, int b) {
    use(sums);
    use(a);
    use(b);
    fault_if(sums == a || sums == b || a == b, "one tile as two operands");
    fault_if(tiles.bytes[sums] % 4 != 0 || tiles.bytes[a] % 4 != 0 || tiles.bytes[b] % 4 != 0,
             "columns that are no multiple of four bytes");
    fault_if(tiles.rows[sums] != tiles.rows[a] || tiles.bytes[sums] != tiles.bytes[b] ||
                 tiles.bytes[a] / 4 != tiles.rows[b],
             "tiles whose shapes do not fit");
    for (int m = 0; m < tiles.rows[sums]; ++m) {
        uint32_t row[16];
        std::memcpy(row, tiles.data[sums][m], sizeof row);
        for (int k = 0; k < tiles.bytes[a] / 4; ++k)
            for (int n = 0; n < tiles.bytes[b] / 4; ++n)
                for (int i = 0; i < 4; ++i)
                    row[n] +=
                        static_cast<uint32_t>(static_cast<int8_t>(tiles.data[a][m][4 * k + i]) *
                                              static_cast<int8_t>(tiles.data[b][k][4 * n + i]));
        std::memcpy(tiles.data[sums][m], row, sizeof row);
    }
    // Rows beyond the shape are zero since the tile was loaded or zeroed, as the manual has it.
}

}  // namespace sfumato::emulated

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbssd
#define _tile_loadconfig sfumato::emulated::load_config
#define _tile_release sfumato::emulated::release
#define _tile_zero sfumato::emulated::zero
#define _tile_loadd sfumato::emulated::load
#define _tile_stored sfumato::emulated::store
#define _tile_dpbssd sfumato::emulated::dot_signed
