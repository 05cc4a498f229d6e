#include "ops/matrix.h"

namespace sfumato {

namespace cpu {
size_t packed_bytes(const Matrix& w) {
    return packed_bytes(w.type, w.compute, w.outputs, w.inputs);
}
}  // namespace cpu

namespace ops {

size_t packed_bytes(const Context& context, const Matrix& w) {
    return SFUMATO_DISPATCH(context, packed_bytes(w));
}

void pack_panel(const Context& context, const std::byte* source, const Matrix& w, int panel) {
    SFUMATO_DISPATCH(context, pack_panel(source, w, panel));
}

}  // namespace ops
}  // namespace sfumato
