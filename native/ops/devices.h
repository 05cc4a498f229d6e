// The devices that this machine has for this build.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/stream.h"
#include "ops/dispatch.h"

namespace sfumato {

// A GPU, usable or not.
struct Gpu {
    std::string name;
    size_t memory_bytes = 0, free_bytes = 0;
    std::string compute_capability;  // "8.9"
    std::string driver;              // the CUDA version that it serves
    bool usable = false;
    std::string reason;  // why not, part of a sentence
};

namespace ops {
// Of this build: none where it has no CUDA.
std::vector<Gpu> gpus();
// `index`: of the GPU. Throws Error where there is none or it cannot be used.
std::unique_ptr<Stream> open(Device device, int index);
// Bytes per second that GPU `index` reads from `bytes` of its memory, at best.
double gpu_read_speed(int index, size_t bytes);
}  // namespace ops
namespace cpu {
std::vector<Gpu> gpus();
std::unique_ptr<sfumato::Stream> open(int index);
double read_speed(int index, size_t bytes);
}  // namespace cpu
namespace cuda {
double read_speed(int index, size_t bytes);
std::vector<Gpu> gpus();
std::unique_ptr<sfumato::Stream> open(int index);
}  // namespace cuda

}  // namespace sfumato
