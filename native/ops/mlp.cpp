#include "ops/mlp.h"

namespace sfumato::ops {

void mlp(const Context& context, const MlpArgs& a) {
    check(a.gate.inputs == a.x.width && a.up.inputs == a.x.width &&
              a.up.outputs == a.gate.outputs && a.down.inputs == a.gate.outputs &&
              a.down.outputs == a.out.width && a.out.rows == a.x.rows,
          "mlp: x is [",
          a.x.rows,
          ", ",
          a.x.width,
          "], gate [",
          a.gate.outputs,
          ", ",
          a.gate.inputs,
          "], down [",
          a.down.outputs,
          ", ",
          a.down.inputs,
          "]");
    SFUMATO_DISPATCH(context, mlp(context, a));
}

}  // namespace sfumato::ops
