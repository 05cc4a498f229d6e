#include "model/config.h"

#include "core/error.h"

namespace sfumato {

void ModelConfig::check_shape() const {
    constexpr int limit = 1 << 24;  // keeps products of two below 2^48
    for (int value : {layers,
                      hidden,
                      dense_ffn,
                      expert_ffn,
                      experts,
                      experts_used,
                      heads,
                      head_dim_full,
                      head_dim_sliding,
                      window,
                      vocab,
                      canvas})
        check(value > 0 && value <= limit, "a size of ", value, " cannot be");
    check(kv_heads.size() == static_cast<size_t>(layers) &&
              sliding.size() == static_cast<size_t>(layers),
          layers,
          " layers, but ",
          kv_heads.size(),
          " kv_heads and ",
          sliding.size(),
          " sliding");
    check(experts_used <= experts, experts_used, " of ", experts, " experts");
    for (int width :
         {hidden, dense_ffn, expert_ffn, heads * head_dim_full, heads * head_dim_sliding})
        check(width > 0 && width <= limit, "a width of ", width, " cannot be");
    for (int layer = 0; layer < layers; ++layer)
        check(key_heads(layer) > 0 && heads % key_heads(layer) == 0 && head_dim(layer) % 2 == 0,
              "layer ",
              layer,
              ": ",
              heads,
              " heads of ",
              head_dim(layer),
              " share ",
              key_heads(layer),
              " key heads");
    check(rms_eps > 0.0f && softcap > 0.0f && rope_base_full > 0.0f && rope_base_sliding > 0.0f,
          "rms_eps, softcap and rope bases must be above 0");
}

}  // namespace sfumato
