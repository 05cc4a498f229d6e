// Single operations, for tests and benches.
#include "bindings/arrays.h"

namespace sfumato::bindings {

void bind_ops(nb::module_&) {}

}  // namespace sfumato::bindings
