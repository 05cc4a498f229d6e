// Where an operation runs. The only file that knows whether this build has CUDA.
#pragma once

#include "core/arena.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/stream.h"
#include "core/tensor.h"
#include "cpu/gemm.h"

namespace sfumato {

enum class Device { cpu, cuda };

using cpu::Compute;

// What every operation needs beside its arguments. Scratch is given back when the operation
// returns.
struct Context {
    Device device = Device::cpu;
    Compute compute = Compute::fast;
    Threads& threads;
    Arena& scratch;
    Stream* stream = nullptr;  // where a device has one
};

// One matrix of weights, repacked for the device that it lies on.
using Matrix = cpu::PackedMatrix;

}  // namespace sfumato

// Calls cpu::… or cuda::…, whichever the context names.
#ifdef SFUMATO_HAS_CUDA
namespace sfumato {
inline constexpr Device best_device = Device::cuda;
}
#define SFUMATO_DISPATCH(context, ...) \
    ((context).device == Device::cuda ? cuda::__VA_ARGS__ : cpu::__VA_ARGS__)
#else
namespace sfumato {
inline constexpr Device best_device = Device::cpu;
}
#define SFUMATO_DISPATCH(context, ...) \
    (check((context).device == Device::cpu, "built without CUDA"), cpu::__VA_ARGS__)
#endif
