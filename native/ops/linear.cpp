#include "ops/linear.h"

namespace sfumato::ops {

void linear(const Context& context, const LinearArgs& a) {
    for (const Projection& p : a.projections)
        check(p.w->inputs == a.x.width && p.w->outputs == p.out.width && p.out.rows == a.x.rows,
              "linear: x is [",
              a.x.rows,
              ", ",
              a.x.width,
              "], W [",
              p.w->outputs,
              ", ",
              p.w->inputs,
              "], out [",
              p.out.rows,
              ", ",
              p.out.width,
              "]");
    SFUMATO_DISPATCH(context, linear(context, a));
}

}  // namespace sfumato::ops
