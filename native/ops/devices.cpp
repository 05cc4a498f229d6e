#include "ops/devices.h"

namespace sfumato {
namespace {

struct Wanted {
    Device device;
};

}  // namespace

// Where there is no GPU to be asked.
namespace cpu {
std::vector<Gpu> gpus() { return {}; }
std::unique_ptr<sfumato::Stream> open(int) { return std::make_unique<Stream>(); }
double read_speed(int index, size_t) { fail("there is no device cuda:", index); }
}  // namespace cpu

namespace ops {

std::vector<Gpu> gpus() { return SFUMATO_DISPATCH(Wanted{best_device}, gpus()); }

std::unique_ptr<Stream> open(Device device, int index) {
    return SFUMATO_DISPATCH(Wanted{device}, open(index));
}

double gpu_read_speed(int index, size_t bytes) {
    return SFUMATO_DISPATCH(Wanted{best_device}, read_speed(index, bytes));
}

}  // namespace ops
}  // namespace sfumato
