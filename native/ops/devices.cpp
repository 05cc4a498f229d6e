#include "ops/devices.h"

namespace sfumato {
namespace {

struct Wanted {
    Device device;
};

}  // namespace

namespace cpu {
std::vector<Gpu> gpus() { return {}; }
std::unique_ptr<sfumato::Stream> open(int) { return std::make_unique<Stream>(); }
}  // namespace cpu

namespace ops {

std::vector<Gpu> gpus() { return SFUMATO_DISPATCH(Wanted{best_device}, gpus()); }

std::unique_ptr<Stream> open(Device device, int index) {
    return SFUMATO_DISPATCH(Wanted{device}, open(index));
}

}  // namespace ops
}  // namespace sfumato
