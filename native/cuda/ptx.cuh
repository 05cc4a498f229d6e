// The instructions that CUDA C++ has no name for. Fragment layouts are those of the PTX manual;
// with g = lane / 4 and t = lane % 4:
//   mma_s8  (m16n8k32)  a[0..3]: rows g, g+8, g, g+8; columns 4t … 4t+3, the latter two 16 further
//   on
//                       b[0..1]: column g; rows 4t … 4t+3, the second 16 further on
//   mma_f16 (m16n8k16)  a[0..3]: rows g, g+8, g, g+8; columns 2t, 2t+1, the latter two 8 further on
//                       b[0..1]: column g; rows 2t, 2t+1, the second 8 further on
//   both                d[0..3]: rows g, g, g+8, g+8; columns 2t, 2t+1, 2t, 2t+1
#pragma once

#include "cuda/launch.cuh"

namespace sfumato::cuda {

#ifndef SFUMATO_CUDA_EMULATED

// d += a · b, 8-bit integers, 32-bit sums.
__device__ __forceinline__ void mma_s8(int (&d)[4],
                                       const uint32_t (&a)[4],
                                       const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// d += a · b, halves, f32 sums.
__device__ __forceinline__ void mma_f16(float (&d)[4],
                                        const uint32_t (&a)[4],
                                        const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8 × 8 matrices of halves from shared memory (ldmatrix): lane l gives the address of row l %
// 8 of matrix l / 8, 16 bytes; r[i] holds elements 2t, 2t+1 of row g of matrix i, or of its
// transpose.
__device__ __forceinline__ void load_matrices(uint32_t (&r)[4], const void* row) {
    const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from)
                 : "memory");
}
__device__ __forceinline__ void load_transposed(uint32_t (&r)[4], const void* row) {
    const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from)
                 : "memory");
}

// 16 bytes from device to shared memory, past the registers; zeros where `valid` is false.
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool valid = true) {
    const uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
    const int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(bytes)
                 : "memory");
}
__device__ __forceinline__ void copy_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int pending>
__device__ __forceinline__ void copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

#else

inline void mma_s8(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const unsigned char* all[32];
    emulator::exchange(~0u, mine, sizeof mine, all);
    auto element = [&](int lane, int word, int byte) {
        return int(int8_t(all[lane][4 * word + byte]));
    };
    const int g = emulator::lane() / 4, t = emulator::lane() % 4;
    for (int i = 0; i < 4; ++i) {
        const int row = g, half = i / 2, column = 2 * t + i % 2;
        for (int k = 0; k < 32; ++k)
            d[i] += element(row * 4 + k % 16 / 4, half + 2 * (k / 16), k % 4) *
                    element(column * 4 + k % 16 / 4, 4 + k / 16, k % 4);
    }
}

inline void mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const unsigned char* all[32];
    emulator::exchange(~0u, mine, sizeof mine, all);
    auto element = [&](int lane, int word, int index) {
        __half h;
        std::memcpy(&h, all[lane] + 4 * word + 2 * index, sizeof h);
        return __half2float(h);
    };
    const int g = emulator::lane() / 4, t = emulator::lane() % 4;
    for (int i = 0; i < 4; ++i) {
        const int row = g, half = i / 2, column = 2 * t + i % 2;
        for (int k = 0; k < 16; ++k)
            d[i] += element(row * 4 + k % 8 / 2, half + 2 * (k / 8), k % 2) *
                    element(column * 4 + k % 8 / 2, 4 + k / 8, k % 2);
    }
}

inline void emulated_load(uint32_t (&r)[4], const void* row, bool transposed) {
    if (reinterpret_cast<uintptr_t>(row) % 16) emulator::fail("a misaligned ldmatrix");
    const unsigned char* all[32];
    emulator::exchange(~0u, &row, sizeof row, all);
    const int g = emulator::lane() / 4, t = emulator::lane() % 4;
    for (int i = 0; i < 4; ++i) {
        uint16_t pair[2];
        for (int j = 0; j < 2; ++j) {
            const int from = transposed ? 2 * t + j : g, at = transposed ? g : 2 * t + j;
            const unsigned char* address;
            std::memcpy(&address, all[8 * i + from], sizeof address);
            std::memcpy(&pair[j], address + 2 * at, 2);
        }
        std::memcpy(&r[i], pair, 4);
    }
}
inline void load_matrices(uint32_t (&r)[4], const void* row) { emulated_load(r, row, false); }
inline void load_transposed(uint32_t (&r)[4], const void* row) { emulated_load(r, row, true); }

inline void copy_async(void* shared, const void* global, bool valid = true) {
    emulator::copy_async(shared, global, 16, valid ? 16 : 0);
}
inline void copy_commit() { emulator::copy_commit(); }
template <int pending>
void copy_wait() {
    emulator::copy_wait(pending);
}

#endif

}  // namespace sfumato::cuda
