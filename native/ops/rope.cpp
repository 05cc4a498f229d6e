#include "ops/rope.h"

namespace sfumato::ops {

void rope(const Context& context, const RopeArgs& a) {
    check(a.head_dim % 2 == 0 && a.x.width % a.head_dim == 0 && a.out.width == a.x.width &&
              a.out.rows == a.x.rows,
          "rope: x is [",
          a.x.rows,
          ", ",
          a.x.width,
          "], out [",
          a.out.rows,
          ", ",
          a.out.width,
          "], heads of ",
          a.head_dim);
    check(a.angles.data == nullptr || (a.angles.rows >= a.x.rows && a.angles.width == a.head_dim),
          "rope: angles are [",
          a.angles.rows,
          ", ",
          a.angles.width,
          "] for heads of ",
          a.head_dim);
    SFUMATO_DISPATCH(context, rope(context, a));
}

void angles(const Context& context, const AnglesArgs& a) {
    check(a.out.width % 2 == 0 && a.first_position >= 0, "angles: heads of ", a.out.width);
    SFUMATO_DISPATCH(context, angles(context, a));
}

}  // namespace sfumato::ops
