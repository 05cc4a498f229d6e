#include "ops/moe.h"

namespace sfumato::ops {

void moe(const Context& context, const MoeArgs& a) {
    const size_t experts = a.gate.size();
    check(experts > 0 && a.up.size() == experts && a.down.size() == experts && a.top_k > 0 &&
              static_cast<size_t>(a.top_k) <= experts,
          "moe: ",
          a.top_k,
          " of ",
          experts,
          " experts");
    check(a.gate[0].inputs == a.x.width && a.down[0].outputs == a.out.width &&
              a.down[0].inputs == a.gate[0].outputs && a.out.rows == a.x.rows &&
              a.a.rows == a.x.rows && a.a.width == a.x.width,
          "moe: x is [",
          a.x.rows,
          ", ",
          a.x.width,
          "], gate [",
          a.gate[0].outputs,
          ", ",
          a.gate[0].inputs,
          "], down [",
          a.down[0].outputs,
          ", ",
          a.down[0].inputs,
          "]");
    SFUMATO_DISPATCH(context, moe(context, a));
}

}  // namespace sfumato::ops
