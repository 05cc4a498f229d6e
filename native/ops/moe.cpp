#include "ops/moe.h"

namespace sfumato::ops {

void moe(const Context& context, const MoeArgs& a) {
    const size_t experts = a.gate.size();
    const size_t on_host = a.host == nullptr ? 0 : static_cast<size_t>(a.host->count());
    check(experts > 0 && a.up.size() == experts && a.down.size() == experts && a.top_k > 0 &&
              static_cast<size_t>(a.top_k) <= experts + on_host &&
              (on_host == 0 || context.device == Device::cuda),
          "moe: ",
          a.top_k,
          " of ",
          experts,
          " experts and ",
          on_host,
          " on the host");
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
