#include "ops/rms_norm.h"

namespace sfumato::ops {

void rms_norm(const Context& context, const RmsNormArgs& a) {
    const auto fits = [&](View<const float> v) {
        return v.data == nullptr || (v.rows == a.x.rows && v.width == a.x.width);
    };
    check(fits(a.plus) && fits(a.residual) && fits(a.out),
          "rms_norm: inputs and output are not all [",
          a.x.rows,
          ", ",
          a.x.width,
          "]");
    SFUMATO_DISPATCH(context, rms_norm(context, a));
}

}  // namespace sfumato::ops
