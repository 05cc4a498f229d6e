// Reading packed matrices (pack.h) on the device.
#pragma once

#include <span>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/pack.h"

namespace sfumato::cuda {

// What a kernel knows of a matrix, or of several of one shape that lie in memory one after another,
// the last ones perhaps elsewhere (model/expert_stream.h).
struct Weights {
    const unsigned char* data;
    size_t stride;  // bytes from one matrix to the next
    int outputs, inputs;
    const unsigned char* rest = nullptr;  // matrix `rest_first` and those after it
    int rest_first = 1 << 30;

    __device__ __forceinline__ const unsigned char* matrix(int i) const {
        return i < rest_first ? data + i * stride : rest + (i - rest_first) * stride;
    }
};

inline Weights weights_of(const Matrix& w) {
    return {reinterpret_cast<const unsigned char*>(w.data), 0, w.outputs, w.inputs};
}

// Matrices of equal shape and distance, but for one place where the distance may differ.
inline Weights weights_of(std::span<const Matrix> all) {
    Weights w = weights_of(all[0]);
    const auto address = [&](size_t i) { return reinterpret_cast<uintptr_t>(all[i].data); };
    const auto distance = [&](size_t i) { return address(i) - address(i - 1); };
    if (all.size() > 1) w.stride = distance(1);
    if (all.size() > 3 && distance(2) == distance(3)) w.stride = distance(2);
    size_t first = 0;  // of the run that matrix i belongs to
    for (size_t i = 0; i < all.size(); ++i) {
        if (first == 0 && address(i) != address(0) + i * w.stride) {
            first = i;
            w.rest = reinterpret_cast<const unsigned char*>(all[i].data);
            w.rest_first = static_cast<int>(i);
        }
        check(address(i) == address(first) + (i - first) * w.stride && all[i].type == all[0].type &&
                  all[i].outputs == w.outputs && all[i].inputs == w.inputs,
              "matrices of a layer's experts are not alike");
    }
    return w;
}

// Calls body.operator()<type>() with a type that has codes and the layout of `type`.
template <class Body>
void with_codes(DType type, Body&& body) {
    switch (type) {
        case DType::q4_0: return body.template operator()<DType::q4_0>();
        case DType::q4_1: return body.template operator()<DType::q4_1>();
        case DType::q5_0: return body.template operator()<DType::q5_0>();
        case DType::q5_1: return body.template operator()<DType::q5_1>();
        case DType::q4_k: return body.template operator()<DType::q4_k>();
        case DType::q5_k: return body.template operator()<DType::q5_k>();
        case DType::q6_k: return body.template operator()<DType::q6_k>();
        case DType::iq4_xs:
        case DType::mxfp4: return body.template operator()<DType::iq4_xs>();
        default: return body.template operator()<DType::q8_0>();  // and IQ4_NL
    }
}

// Byte `index` of a word as a float: 2^23 + byte has the byte in its lowest bits, and both
// instructions run at full rate, which int-to-float conversion does not.
__device__ __forceinline__ float byte_float(uint32_t word, int index) {
    return __uint_as_float(__byte_perm(word, 0x4b000000u, 0x7440u | static_cast<unsigned>(index))) -
           8388608.0f;
}

// Scale and minimum of y = d · (unpacked code) + m, per 32 or, where Scales::k16, 16 inputs.
struct Worth {
    float d[2];
    float m;
};

// The scales of one row in a slab.
template <DType type>
class RowScales {
  public:
    // `scales`: where the slab begins; row: of the tile.
    __device__ __forceinline__ RowScales(const unsigned char* scales, int row)
        : at_(scales), pair_(row % 8 * 2 + row / 8) {
        constexpr Layout layout = layout_of(type);
        if constexpr (layout.scales == Scales::k) {
            const uint4 header = *reinterpret_cast<const uint4*>(scales + 16 * pair_);
            d_ = __half2float(__ushort_as_half(static_cast<unsigned short>(header.x & 0xffffu)));
            m_ = __half2float(__ushort_as_half(static_cast<unsigned short>(header.x >> 16)));
            // The file's 6-bit scales and minimums, four in a word (core/dtype.h: k_scale_min).
            scale_[0] = header.y & 0x3f3f3f3fu;
            min_[0] = header.z & 0x3f3f3f3fu;
            scale_[1] = (header.w & 0x0f0f0f0fu) | ((header.y >> 2) & 0x30303030u);
            min_[1] = ((header.w >> 4) & 0x0f0f0f0fu) | ((header.z >> 2) & 0x30303030u);
        } else if constexpr (layout.scales == Scales::k16) {
            d_ = __half2float(*reinterpret_cast<const __half*>(scales + 256 + 2 * pair_)) *
                 layout.unit();
        }
    }

    // Of group `index` of the slab, 0 … 7.
    __device__ __forceinline__ Worth of(int index) const {
        constexpr Layout layout = layout_of(type);
        constexpr float unit = layout.unit(), centre = layout.centre();
        const int pair = index * 16 + pair_;
        if constexpr (layout.scales == Scales::half) {
            return {{__half2float(*reinterpret_cast<const __half*>(at_ + 2 * pair)) * unit, 0.0f},
                    0.0f};
        } else if constexpr (layout.scales == Scales::half_min) {
            const float2 dm = __half22float2(*reinterpret_cast<const __half2*>(at_ + 4 * pair));
            return {{dm.x * unit, 0.0f}, dm.y + centre * dm.x};
        } else if constexpr (layout.scales == Scales::single) {
            return {{*reinterpret_cast<const float*>(at_ + 4 * pair) * unit, 0.0f}, 0.0f};
        } else if constexpr (layout.scales == Scales::k) {
            const bool upper = index >= 4;
            const float d = d_ * byte_float(upper ? scale_[1] : scale_[0], index & 3);
            const float m = m_ * byte_float(upper ? min_[1] : min_[0], index & 3);
            return {{d * unit, 0.0f}, centre * d - m};
        } else {
            const char2 s = *reinterpret_cast<const char2*>(at_ + 2 * pair);
            return {{d_ * static_cast<float>(s.x), d_ * static_cast<float>(s.y)}, 0.0f};
        }
    }

  private:
    const unsigned char* at_;
    int pair_;
    float d_ = 0.0f, m_ = 0.0f;
    uint32_t scale_[2] = {}, min_[2] = {};
};

// Where the parts of a slab are, from its first byte.
template <DType type>
struct Slab {
    const unsigned char *scales, *codes, *low;

    __device__ __forceinline__ Slab(const unsigned char* slab, int chunks)
        : scales(slab),
          codes(slab + layout_of(type).scale_bytes(chunks)),
          low(codes + chunks * layout_of(type).code_bytes()) {}
};

// One lane's codes of a chunk: the A operands of its two groups.
template <DType type>
class LaneCodes {
  public:
    __device__ __forceinline__ LaneCodes(const Slab<type>& slab, int chunk, int lane) {
        constexpr Layout layout = layout_of(type);
        if constexpr (layout.bits == 8) {
            const uint4* at = reinterpret_cast<const uint4*>(slab.codes + chunk * 1024 + lane * 32);
            words_[0] = at[0];
            words_[1] = at[1];
        } else {
            words_[0] = *reinterpret_cast<const uint4*>(slab.codes + chunk * 512 + lane * 16);
        }
        if constexpr (layout.bits == 5)
            low_.x = *reinterpret_cast<const uint32_t*>(slab.low + chunk * 128 + lane * 4);
        if constexpr (layout.bits == 6)
            low_ = *reinterpret_cast<const uint2*>(slab.low + chunk * 256 + lane * 8);
    }

    template <int j>
    __device__ __forceinline__ void group_of(uint32_t (&a)[4]) const {
        constexpr Layout layout = layout_of(type);
        if constexpr (layout.bits == 8) {
            const uint4 w = words_[j];
            a[0] = w.x;
            a[1] = w.y;
            a[2] = w.z;
            a[3] = w.w;
        } else {
            const uint32_t first = j == 0 ? words_[0].x : words_[0].z;
            const uint32_t second = j == 0 ? words_[0].y : words_[0].w;
            a[0] = (first << 4) & 0xf0f0f0f0u;
            a[1] = first & 0xf0f0f0f0u;
            a[2] = (second << 4) & 0xf0f0f0f0u;
            a[3] = second & 0xf0f0f0f0u;
        }
        if constexpr (layout.bits == 5) {
            if constexpr (j == 0) {
                a[0] |= (low_.x << 3) & 0x08080808u;
                a[1] |= (low_.x << 2) & 0x08080808u;
                a[2] |= (low_.x << 1) & 0x08080808u;
                a[3] |= low_.x & 0x08080808u;
            } else {
                a[0] |= (low_.x >> 1) & 0x08080808u;
                a[1] |= (low_.x >> 2) & 0x08080808u;
                a[2] |= (low_.x >> 3) & 0x08080808u;
                a[3] |= (low_.x >> 4) & 0x08080808u;
            }
        }
        if constexpr (layout.bits == 6) {
            const uint32_t low = j == 0 ? low_.x : low_.y;
            a[0] |= (low << 2) & 0x0c0c0c0cu;
            a[1] |= low & 0x0c0c0c0cu;
            a[2] |= (low >> 2) & 0x0c0c0c0cu;
            a[3] |= (low >> 4) & 0x0c0c0c0cu;
        }
    }

  private:
    uint4 words_[layout_of(type).bits == 8 ? 2 : 1];
    uint2 low_;
};

// Inputs 8 · eighth … 8 · eighth + 7 of one row, as floats; 0 beyond the last.
template <DType type>
__device__ __forceinline__ void eight_codes(const Weights& w,
                                            int row,
                                            int eighth,
                                            float (&out)[8]) {
    constexpr Layout layout = layout_of(type);
    const int k = eighth * 8, slab = k / slab_inputs, chunk = k % slab_inputs / chunk_inputs;
    const int index = k % slab_inputs / group, t = eighth % 4, in_tile = row % tile_rows;
    const int all_chunks = (w.inputs + chunk_inputs - 1) / chunk_inputs;
    const int chunks = all_chunks - slab * slab_chunks < slab_chunks
                           ? all_chunks - slab * slab_chunks
                           : slab_chunks;
    const unsigned char* at = w.data +
                              static_cast<size_t>(row / tile_rows) * layout.tile_bytes(w.inputs) +
                              static_cast<size_t>(slab) * layout.slab_bytes(slab_chunks);
    const Slab<type> parts(at, chunks);
    const Worth worth = RowScales<type>(parts.scales, in_tile).of(index);
    const LaneCodes<type> codes(parts, chunk, 4 * (in_tile % 8) + t);
    uint32_t a[4];
    if (index % 2 == 0)
        codes.template group_of<0>(a);
    else
        codes.template group_of<1>(a);
    const bool upper = in_tile >= 8;
    const uint32_t words[2] = {upper ? a[1] : a[0], upper ? a[3] : a[2]};
    const float d = layout.scales == Scales::k16 && t >= 2 ? worth.d[1] : worth.d[0];
    for (int i = 0; i < 8; ++i)
        out[i] =
            d * static_cast<float>(static_cast<int8_t>(words[i / 4] >> (8 * (i % 4)))) + worth.m;
}

// One element of a matrix of floats.
template <DType type>
__device__ __forceinline__ float float_at(const unsigned char* data, size_t index) {
    if constexpr (type == DType::f32)
        return reinterpret_cast<const float*>(data)[index];
    else if constexpr (type == DType::f16)
        return __half2float(reinterpret_cast<const __half*>(data)[index]);
    else
        return __uint_as_float(static_cast<uint32_t>(reinterpret_cast<const uint16_t*>(data)[index])
                               << 16);
}

// Calls body.operator()<type>() for a type without codes.
template <class Body>
void with_float_type(DType type, Body&& body) {
    if (type == DType::f32) return body.template operator()<DType::f32>();
    if (type == DType::f16) return body.template operator()<DType::f16>();
    body.template operator()<DType::bf16>();
}

// Single rows of a matrix, eight inputs at a time, of either kind.
template <DType type>
struct CodeRows {
    static __device__ __forceinline__ void eight(const Weights& w,
                                                 int row,
                                                 int eighth,
                                                 float (&out)[8]) {
        eight_codes<type>(w, row, eighth, out);
    }
};
template <DType type>
struct FloatRows {
    static __device__ __forceinline__ void eight(const Weights& w,
                                                 int row,
                                                 int eighth,
                                                 float (&out)[8]) {
        for (int i = 0; i < 8; ++i) {
            const int k = eighth * 8 + i;
            out[i] = k < w.inputs ? float_at<type>(w.data, static_cast<size_t>(row) * w.inputs + k)
                                  : 0.0f;
        }
    }
};

// Calls body.operator()<Rows>() with what reads rows of a matrix of `type`.
template <class Body>
void with_rows(DType type, Body&& body) {
    if (has_codes(type))
        with_codes(type, [&]<DType t>() { body.template operator()<CodeRows<t>>(); });
    else
        with_float_type(type, [&]<DType t>() { body.template operator()<FloatRows<t>>(); });
}

}  // namespace sfumato::cuda
