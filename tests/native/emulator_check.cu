// The emulator against plain loops: fragments of both mma.sync, ldmatrix, cp.async, and the faults that it
// must find. Arguments: what to run. Prints "ok", or dies where a fault is asked for.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cuda/ptx.cuh"

using namespace sfumato::cuda;

namespace {

template <class Kernel, class... Arguments>
void run(Kernel kernel, int threads, size_t shared_bytes, Arguments... arguments) {
    emulator::run("check", dim3(1), dim3(unsigned(threads)), shared_bytes, [=] { kernel(arguments...); });
}

// Whole matrices, row after row; fragments are cut out as the PTX manual draws them (m16n8k32, m16n8k16).
void s8_kernel(const int8_t* a, const int8_t* b, int* d) {  // a [16, 32], b [32, 8], d [16, 8]
    const int group = int(threadIdx.x) >> 2, in_group = int(threadIdx.x) % 4;
    uint32_t left[4] = {}, right[2] = {};
    for (int i = 0; i < 16; ++i) {
        const int row = (i < 4 || (i >= 8 && i < 12)) ? group : group + 8;
        const int column = in_group * 4 + (i & 3) + (i >= 8 ? 16 : 0);
        left[i / 4] |= uint32_t(uint8_t(a[row * 32 + column])) << (8 * (i % 4));
    }
    for (int i = 0; i < 8; ++i) {
        const int row = in_group * 4 + (i & 3) + (i >= 4 ? 16 : 0);
        right[i / 4] |= uint32_t(uint8_t(b[row * 8 + group])) << (8 * (i % 4));
    }
    int sum[4] = {1, 1, 1, 1};
    mma_s8(sum, left, right);
    for (int i = 0; i < 4; ++i) d[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1)] = sum[i];
}

void f16_kernel(const __half* a, const __half* b, float* d) {  // a [16, 16], b [16, 8], d [16, 8]
    const int group = int(threadIdx.x) >> 2, in_group = int(threadIdx.x) % 4;
    uint32_t left[4] = {}, right[2] = {};
    for (int i = 0; i < 8; ++i) {
        const int row = (i < 2 || (i >= 4 && i < 6)) ? group : group + 8;
        const int column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
        left[i / 2] |= uint32_t(__half_as_ushort(a[row * 16 + column])) << (16 * (i % 2));
    }
    for (int i = 0; i < 4; ++i) {
        const int row = in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0);
        right[i / 2] |= uint32_t(__half_as_ushort(b[row * 8 + group])) << (16 * (i % 2));
    }
    float sum[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    mma_f16(sum, left, right);
    for (int i = 0; i < 4; ++i) d[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1)] = sum[i];
}

// ldmatrix gives a row-major A operand, its transpose a B operand of a matrix with k as rows.
void loaded_kernel(const __half* a, const __half* b, float* d) {
    auto* shared = reinterpret_cast<__half*>(shared_memory);  // a, then b with rows of 16
    for (int i = int(threadIdx.x); i < 256; i += 32) {
        shared[i] = a[i];
        shared[256 + i] = i % 16 < 8 ? b[i / 16 * 8 + i % 16] : __float2half(0.0f);
    }
    __syncthreads();
    const int lane = int(threadIdx.x);
    uint32_t left[4], both[4];
    load_matrices(left, shared + lane % 16 * 16 + lane / 16 * 8);
    load_transposed(both, shared + 256 + (lane % 8 + lane / 8 % 2 * 8) * 16 + lane / 16 * 8);
    const uint32_t right[2] = {both[0], both[1]};
    float sum[4] = {1.0f, 1.0f, 1.0f, 1.0f};
    mma_f16(sum, left, right);
    for (int i = 0; i < 4; ++i) d[(i < 2 ? lane / 4 : lane / 4 + 8) * 8 + lane % 4 * 2 + (i & 1)] = sum[i];
}

void copy_kernel(const float* from, float* before, float* after) {
    auto* shared = reinterpret_cast<float*>(shared_memory);
    copy_async(shared + 4 * threadIdx.x, from + 4 * threadIdx.x, threadIdx.x % 2 == 0);
    copy_commit();
    before[threadIdx.x] = shared[4 * threadIdx.x];
    copy_wait<0>();
    after[threadIdx.x] = shared[4 * threadIdx.x];
}

// Each thread reads its neighbour's value without a barrier.
void race_kernel(int* out) {
    auto* shared = reinterpret_cast<int*>(shared_memory);
    shared[threadIdx.x] = int(threadIdx.x);
    out[threadIdx.x] = shared[(threadIdx.x + 1) % blockDim.x];
}

void deadlock_kernel() {
    if (threadIdx.x < 16) __syncthreads();
    else __syncwarp();
}

void overrun_kernel() { shared_memory[64 + threadIdx.x] = 0; }

// Where nothing is written, only the address sanitizer sees it.
void overread_kernel(int* out) { out[threadIdx.x] = shared_memory[33 + threadIdx.x]; }
void sum_kernel(const int* from, int count, int* out) {
    for (int i = 0; i < count; ++i) out[threadIdx.x] += from[i];
}

void beyond() {
    void *from = nullptr, *out = nullptr;
    cudaMalloc(&from, 9 * sizeof(int));
    cudaMalloc(&out, 32 * sizeof(int));
    run(sum_kernel, 32, 0, static_cast<const int*>(from), 10, static_cast<int*>(out));
}

cudaGraph_t begin_capture(cudaStream_t stream) {
    cudaGraph_t graph = nullptr;
    cudaGraphCreate(&graph, 0);
    cudaStreamBeginCaptureToGraph(
        stream, graph, nullptr, nullptr, 0, cudaStreamCaptureModeThreadLocal);
    return graph;
}

// Numbers go to the device one after another through one place; another stream takes each out. With
// `waits` it waits for the number, and the next number for it.
bool passed_on(bool waits, bool as_graph) {
    constexpr int count = 8;
    cudaStream_t main = nullptr, side = nullptr;
    cudaEvent_t came = nullptr, taken = nullptr;
    cudaStreamCreateWithFlags(&main, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&came, cudaEventDisableTiming);
    cudaEventCreateWithFlags(&taken, cudaEventDisableTiming);
    int from[count], place = -1, out[count];
    for (int i = 0; i < count; ++i) from[i] = i;
    if (as_graph) begin_capture(main);
    for (int i = 0; i < count; ++i) {
        if (waits || i == 0) {
            cudaEventRecord(taken, main);
            cudaStreamWaitEvent(side, taken);
        }
        cudaMemcpyAsync(&place, from + i, sizeof(int), cudaMemcpyDefault, side);
        cudaEventRecord(came, side);
        if (waits || i == count - 1) cudaStreamWaitEvent(main, came);
        cudaMemcpyAsync(out + i, &place, sizeof(int), cudaMemcpyDefault, main);
    }
    bool right = true;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    if (as_graph) {
        cudaStreamEndCapture(main, &graph);
        cudaGraphInstantiate(&executable, graph, 0);
    }
    for (int time = 0; time < (as_graph ? 3 : 1); ++time) {
        if (as_graph) {
            std::fill(out, out + count, -1);
            cudaGraphLaunch(executable, main);
        }
        cudaStreamSynchronize(main);
        for (int i = 0; i < count; ++i) right &= out[i] == i;
    }
    cudaStreamSynchronize(side);
    return right;
}

void forgotten() {
    cudaStream_t main = nullptr, side = nullptr;
    cudaEvent_t event = nullptr;
    cudaStreamCreateWithFlags(&main, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    begin_capture(main);
    cudaEventRecord(event, main);
    cudaStreamWaitEvent(side, event);
    int from = 1, to = 0;
    cudaMemcpyAsync(&to, &from, sizeof(int), cudaMemcpyDefault, side);
    cudaGraph_t graph = nullptr;
    cudaStreamEndCapture(main, &graph);
}

void outside() {
    cudaStream_t main = nullptr;
    cudaEvent_t event = nullptr;
    cudaStreamCreateWithFlags(&main, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    cudaEventRecord(event, main);
    begin_capture(main);
    cudaStreamWaitEvent(main, event);
}

// A graph with work in the body of a condition that an order of the graph decides on. How often the
// work was done after launches with 1, 0, 1; less if the condition did not wait for the order.
int times_done(bool waits) {
    cudaStream_t stream = nullptr;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    int wanted = 0, done = 0;
    cudaGraph_t graph = nullptr;
    cudaGraphCreate(&graph, 0);
    cudaGraphNodeParams params{};
    params.type = cudaGraphNodeTypeConditional;
    params.conditional.size = 1;
    cudaGraphConditionalHandleCreate(
        &params.conditional.handle, graph, 0, cudaGraphCondAssignDefault);
    cudaStreamBeginCaptureToGraph(
        stream, graph, nullptr, nullptr, 0, cudaStreamCaptureModeThreadLocal);
    emulator::queue(stream, [&wanted, handle = params.conditional.handle] {
        cudaGraphSetConditional(handle, unsigned(wanted));
    });
    cudaStreamEndCapture(stream, &graph);
    cudaGraphNode_t decided = nullptr, node = nullptr;
    size_t count = 1;
    cudaGraphGetNodes(graph, &decided, &count);
    cudaGraphAddNode(&node, graph, &decided, nullptr, waits ? count : 0, &params);
    cudaGraph_t body = params.conditional.phGraph_out[0];
    cudaStreamBeginCaptureToGraph(
        stream, body, nullptr, nullptr, 0, cudaStreamCaptureModeThreadLocal);
    emulator::queue(stream, [&done] { ++done; });
    cudaStreamEndCapture(stream, &body);
    cudaGraphExec_t executable = nullptr;
    cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    for (int next : {1, 0, 1}) {
        wanted = next;
        cudaGraphLaunch(executable, stream);
        cudaStreamSynchronize(stream);
    }
    cudaGraphExecDestroy(executable);
    return done;
}

// An event is passed when what came before it is done, and not what comes after.
bool event_waits() {
    cudaStream_t stream = nullptr;
    cudaEvent_t event = nullptr;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    int done = 0;
    emulator::queue(stream, [&done] { ++done; });
    cudaEventRecord(event, stream);
    emulator::queue(stream, [&done] { ++done; });
    const bool nothing_yet = done == 0;
    cudaEventSynchronize(event);
    const bool the_first = done == 1;
    cudaStreamSynchronize(stream);
    return nothing_yet && the_first && done == 2;
}

void host_in_a_body() {
    cudaStream_t stream = nullptr;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaGraph_t graph = nullptr;
    cudaGraphCreate(&graph, 0);
    cudaGraphNodeParams params{};
    params.conditional.size = 1;
    cudaGraphConditionalHandleCreate(&params.conditional.handle, graph, 1, 1);
    cudaGraphNode_t node = nullptr;
    cudaGraphAddNode(&node, graph, nullptr, nullptr, 0, &params);
    cudaStreamBeginCaptureToGraph(stream,
                                  params.conditional.phGraph_out[0],
                                  nullptr,
                                  nullptr,
                                  0,
                                  cudaStreamCaptureModeThreadLocal);
    cudaLaunchHostFunc(stream, [](void*) {}, nullptr);
}

[[noreturn]] void wrong(const char* what) {
    std::printf("%s is wrong\n", what);
    std::exit(1);
}

float value(int i) { return float(i * 37 % 101 - 50) / 16.0f; }  // exact as halves, products as floats

template <class T, class Sum, class Kernel>
void product(const char* what, Kernel kernel, int inner, T (*make)(int), double (*worth)(T)) {
    std::vector<T> a(size_t(16 * inner)), b(size_t(inner * 8));
    std::vector<Sum> d(128);
    for (size_t i = 0; i < a.size(); ++i) a[i] = make(int(i));
    for (size_t i = 0; i < b.size(); ++i) b[i] = make(int(3 * i + 7));
    run(kernel, 32, 2048, a.data(), b.data(), d.data());
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 8; ++column) {
            double want = 1.0;
            for (int k = 0; k < inner; ++k) want += worth(a[row * inner + k]) * worth(b[k * 8 + column]);
            if (double(d[row * 8 + column]) != want) wrong(what);
        }
}

}  // namespace

int main(int, char** arguments) {
    const std::string what = arguments[1];
    if (what == "products") {
        product<int8_t, int>("mma_s8", s8_kernel, 32, [](int i) { return int8_t(i * 37 % 251 - 125); },
                             [](int8_t v) { return double(v); });
        const auto half_of = [](int i) { return __float2half(value(i)); };
        const auto worth = [](__half v) { return double(__half2float(v)); };
        product<__half, float>("mma_f16", f16_kernel, 16, +half_of, +worth);
        product<__half, float>("ldmatrix", loaded_kernel, 16, +half_of, +worth);
    } else if (what == "copies") {
        std::vector<float> from(128, 2.0f), before(32), after(32);
        run(copy_kernel, 32, 512, from.data(), before.data(), after.data());
        for (int i = 0; i < 32; ++i)
            if (before[i] == before[i] || after[i] != (i % 2 == 0 ? 2.0f : 0.0f)) wrong("cp.async");
    } else if (what == "race") {
        std::vector<int> out(64);
        run(race_kernel, 64, 256, out.data());
        for (int i = 0; i < 64; ++i)
            if (out[i] != (i + 1) % 64) return 0;  // found
        wrong("a race that stayed hidden");
    } else if (what == "streams") {
        if (!passed_on(true, false)) wrong("an order of streams");
        if (!passed_on(true, true)) wrong("an order of streams in a graph");
        if (!event_waits()) wrong("a wait for an event");
        if (times_done(true) != 2) wrong("a condition");
        if (times_done(false) != 0) wrong("a condition that waits for nothing");
    } else if (what == "hurry") {
        if (passed_on(false, false) && passed_on(false, true)) wrong("a hurry that stayed hidden");
    } else if (what == "forgotten") {
        forgotten();
    } else if (what == "outside") {
        outside();
    } else if (what == "host in a body") {
        host_in_a_body();
    } else if (what == "deadlock") {
        run(deadlock_kernel, 32, 0);
    } else if (what == "overrun") {
        run(overrun_kernel, 32, 64);
    } else if (what == "overread") {
        int out[32];
        run(overread_kernel, 32, 64, out);
    } else if (what == "beyond") {
        beyond();
    }
    std::puts("ok");
}
