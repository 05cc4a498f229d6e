#include "core/cpu_features.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"

#if defined(__x86_64__) || defined(_M_X64)
#define SFUMATO_X86 1
#ifdef _MSC_VER
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace sfumato {
namespace {

#ifdef SFUMATO_X86

struct Registers {
    uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
    Registers r;
#ifdef _MSC_VER
    int out[4];
    __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
    r = {static_cast<uint32_t>(out[0]),
         static_cast<uint32_t>(out[1]),
         static_cast<uint32_t>(out[2]),
         static_cast<uint32_t>(out[3])};
#else
    __cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
#endif
    return r;
}

// Registers that the operating system saves on a switch of threads.
uint64_t saved_registers() {
#ifdef _MSC_VER
    return _xgetbv(0);
#else
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (static_cast<uint64_t>(high) << 32) | low;
#endif
}

// Linux gives the large tile registers only to processes that ask.
bool ask_for_tiles() {
#ifdef __linux__
    constexpr long arch_req_xcomp_perm = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, arch_req_xcomp_perm, tile_data) == 0;
#else
    return true;
#endif
}

#ifdef SFUMATO_EMULATE_AMX
constexpr bool emulate_amx = true;
#else
constexpr bool emulate_amx = false;
#endif

CpuFeatures detect() {
    CpuFeatures f;
    const uint32_t leaves = cpuid(0, 0).a;
    const Registers one = cpuid(1, 0);
    const auto bit = [](uint32_t word, int n) { return ((word >> n) & 1u) != 0; };
    if (leaves < 7 || !bit(one.c, 27)) return f;  // OSXSAVE
    const uint64_t saved = saved_registers();
    const Registers seven = cpuid(7, 0);
    const Registers more = seven.a >= 1 ? cpuid(7, 1) : Registers{};
    const bool ymm = (saved & 0x6) == 0x6, zmm = (saved & 0xe6) == 0xe6;
    const bool tiles = (saved & 0x60000) == 0x60000;
    f.avx2 = ymm && bit(seven.b, 5) && bit(one.c, 12) && bit(one.c, 29);
    f.avxvnni = f.avx2 && bit(more.a, 4);
    f.avx512 = f.avx2 && zmm && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) &&
               bit(seven.b, 31);
    f.avx512vnni = f.avx512 && bit(seven.c, 11);
    f.amx_int8 =
        f.avx512vnni &&
        (emulate_amx || (tiles && bit(seven.d, 24) && bit(seven.d, 25) && ask_for_tiles()));
    return f;
}

#else

CpuFeatures detect() { return {}; }

#endif

constexpr Isa all[] = {Isa::portable, Isa::avx2, Isa::avxvnni, Isa::avx512vnni, Isa::amx};

bool has(Isa isa) {
    const CpuFeatures& f = cpu_features();
    switch (isa) {
        case Isa::portable: return true;
        case Isa::avx2: return f.avx2;
        case Isa::avxvnni: return f.avxvnni;
        case Isa::avx512vnni: return f.avx512vnni;
        case Isa::amx: return f.amx_int8;
    }
    return false;
}

Isa choose() {
    Isa best = Isa::portable;
    for (Isa candidate : all)
        if (has(candidate)) best = candidate;
    const char* wanted = std::getenv("SFUMATO_ISA");
    if (wanted == nullptr || *wanted == '\0') return best;
    for (Isa candidate : all) {
        if (std::string_view(wanted) != isa_name(candidate)) continue;
        if (!has(candidate)) fail("SFUMATO_ISA asks for ", wanted, ", which this processor lacks");
        return candidate;
    }
    fail("SFUMATO_ISA is ", wanted, ", not portable, avx2, avxvnni, avx512vnni or amx");
}

}  // namespace

const CpuFeatures& cpu_features() {
    static const CpuFeatures found = detect();
    return found;
}

Isa isa() {
    static const Isa chosen = choose();
    return chosen;
}

const char* isa_name(Isa isa) {
    switch (isa) {
        case Isa::portable: return "portable";
        case Isa::avx2: return "avx2";
        case Isa::avxvnni: return "avxvnni";
        case Isa::avx512vnni: return "avx512vnni";
        case Isa::amx: return "amx";
    }
    return "";
}

}  // namespace sfumato
