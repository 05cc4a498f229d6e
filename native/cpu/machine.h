// What this machine can do at best, measured where a step's time is compared with it.
#pragma once

#include "core/parallel.h"

namespace sfumato::cpu {

struct Machine {
    double bytes_per_second;     // read from memory by all threads
    double products_per_second;  // 8-bit multiply-adds of all threads, operands in the first cache
};

// About half a second, 512 MiB for a moment.
Machine measure_machine(Threads& threads);

}  // namespace sfumato::cpu
