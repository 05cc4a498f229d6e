// Stands in for CUDA's half precision on the host; see README.md.
#pragma once

#include "cuda_runtime.h"

struct __half {
    _Float16 v;
};
struct alignas(4) __half2 {
    __half x, y;
};
using half = __half;
using half2 = __half2;

inline __half __float2half(float x) { return {static_cast<_Float16>(x)}; }
inline __half __float2half_rn(float x) { return __float2half(x); }
inline float __half2float(__half x) { return static_cast<float>(x.v); }
inline __half2 __floats2half2_rn(float x, float y) { return {__float2half(x), __float2half(y)}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline float2 __half22float2(__half2 h) { return {__half2float(h.x), __half2float(h.y)}; }
inline float __low2float(__half2 h) { return __half2float(h.x); }
inline float __high2float(__half2 h) { return __half2float(h.y); }
inline __half __ushort_as_half(unsigned short x) { return std::bit_cast<__half>(x); }
inline __half __low2half(__half2 h) { return h.x; }
inline __half __high2half(__half2 h) { return h.y; }
inline unsigned short __half_as_ushort(__half x) { return std::bit_cast<unsigned short>(x); }
