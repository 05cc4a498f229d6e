// Tile instructions against plain sums; planted faults. With SFUMATO_EMULATE_AMX it judges the
// emulation of cpu/emulated_tiles.h, without it (on a processor that has them) the instructions
// themselves.
#include <immintrin.h>

#ifdef SFUMATO_EMULATE_AMX
#include "cpu/emulated_tiles.h"
#elif defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string_view>

namespace {

struct alignas(64) Shapes {
    uint8_t palette = 1, first_row = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
};

struct alignas(64) Memory {
    int8_t a[16 * 96], b[16 * 128];
    int32_t sums[16 * 32];
};

std::mt19937 random_bits(7);

void configure(const Shapes& shapes) {
    __asm__ volatile("" : : "r"(&shapes) : "memory");
    _tile_loadconfig(&shapes);
}

Shapes shapes_of(int rows, int steps, int outputs) {
    Shapes s;
    s.rows[0] = s.rows[1] = static_cast<uint8_t>(rows);
    s.rows[2] = static_cast<uint8_t>(steps);
    s.bytes[0] = s.bytes[2] = static_cast<uint16_t>(4 * outputs);
    s.bytes[1] = static_cast<uint16_t>(4 * steps);
    return s;
}

// sums += a · b for every shape, also with strides and with sums that wrap.
bool products() {
    static Memory m;
    for (int rows = 1; rows <= 16; ++rows)
        for (int steps = 1; steps <= 16; ++steps)
            for (int outputs : {1, 7, 16}) {
                for (int8_t& v : m.a) v = static_cast<int8_t>(random_bits());
                for (int8_t& v : m.b) v = static_cast<int8_t>(random_bits());
                for (int32_t& v : m.sums) v = static_cast<int32_t>(random_bits());
                if (rows == 3)
                    std::memset(m.a, -128, sizeof m.a), std::memset(m.b, -128, sizeof m.b);
                static int32_t want[16 * 32];
                std::memcpy(want, m.sums, sizeof want);
                for (int r = 0; r < rows; ++r)
                    for (int o = 0; o < outputs; ++o) {
                        int64_t sum = want[r * 32 + o];
                        for (int k = 0; k < 4 * steps; ++k)
                            sum += int64_t{m.a[r * 96 + k]} * m.b[k / 4 * 128 + 4 * o + k % 4];
                        want[r * 32 + o] = static_cast<int32_t>(static_cast<uint64_t>(sum));
                    }
                configure(shapes_of(rows, steps, outputs));
                _tile_loadd(0, m.sums, 128);
                _tile_loadd(1, m.a, 96);
                _tile_loadd(2, m.b, 128);
                _tile_dpbssd(0, 1, 2);
                _tile_stored(0, m.sums, 128);
                if (std::memcmp(want, m.sums, sizeof want) != 0) return false;
            }
    return true;
}

// A tile that is zeroed, and registers after a new configuration, hold zeros.
bool zeros() {
    static Memory m;
    std::memset(&m, 1, sizeof m);
    configure(shapes_of(16, 16, 16));
    _tile_loadd(0, m.sums, 64);
    _tile_loadd(1, m.a, 64);
    _tile_zero(1);
    _tile_stored(1, m.a, 64);
    configure(shapes_of(16, 16, 16));
    _tile_stored(0, m.sums, 64);
    for (int i = 0; i < 16 * 64; ++i)
        if (m.a[i] != 0) return false;
    for (int i = 0; i < 16 * 16; ++i)
        if (m.sums[i] != 0) return false;
    return true;
}

void use_released_tiles() {
    configure(shapes_of(16, 16, 16));
    _tile_release();
    _tile_zero(0);
}

void multiply_shapes_that_do_not_fit() {
    Shapes s = shapes_of(16, 8, 16);
    s.bytes[1] = 64;
    configure(s);
    _tile_dpbssd(0, 1, 2);
}

void configure_too_many_rows() { configure(shapes_of(17, 8, 16)); }

}  // namespace

int main(int count, char** arguments) {
#if !defined(SFUMATO_EMULATE_AMX) && defined(__linux__)
    if (syscall(SYS_arch_prctl, 0x1023, 18) != 0) return 77;
#endif
    const std::string_view what = count > 1 ? arguments[1] : "";
    bool right = false;
    if (what == "products") right = products();
    if (what == "zeros") right = zeros();
    if (what == "released") use_released_tiles();
    if (what == "shapes") multiply_shapes_that_do_not_fit();
    if (what == "rows") configure_too_many_rows();
    std::puts(right ? "ok" : "wrong");
    return right ? 0 : 1;
}
