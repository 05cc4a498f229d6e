// Repacking of a matrix from the file's layout to what the device's products read.
#pragma once

#include "ops/dispatch.h"

namespace sfumato {

namespace ops {
// Bytes that `w` takes, its data aside.
size_t packed_bytes(const Context&, const Matrix& w);
// Repacks panel `panel` of w, in host memory. `source`: the first byte of W as in the file.
void pack_panel(const Context&, const std::byte* source, const Matrix& w, int panel);
}  // namespace ops
namespace cpu {
size_t packed_bytes(const Matrix& w);
}
namespace cuda {
size_t packed_bytes(const Matrix& w);
void pack_panel(const std::byte* source, const Matrix& w, int panel);
}  // namespace cuda

}  // namespace sfumato
