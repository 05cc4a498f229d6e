// What this processor can do, found once at run time.
#pragma once

namespace sfumato {

// Sets of instructions that kernels are written for, each including those before it.
enum class Isa { portable, avx2, avxvnni, avx512vnni, amx };

struct CpuFeatures {
    bool avx2 = false;  // with FMA and F16C
    bool avxvnni = false;
    bool avx512 = false;  // F, BW, DQ, VL
    bool avx512vnni = false;
    bool amx_int8 = false;  // and allowed by the system
};

const CpuFeatures& cpu_features();

// The best set that this processor has. The environment variable SFUMATO_ISA names a lower one.
// avx512vnni is chosen without avxvnni where a processor lacks the latter (Ice Lake).
Isa isa();

const char* isa_name(Isa isa);

}  // namespace sfumato
