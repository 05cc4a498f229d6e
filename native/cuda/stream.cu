// Memory, order and repetition on a GPU.
#include "cuda/launch.cuh"
#include "ops/devices.h"

namespace sfumato::cuda {
namespace {

std::string megabytes(size_t bytes) { return std::to_string(bytes / 1'000'000) + " MB"; }

std::string version(int number) {  // 12040 is 12.4
    return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

constexpr int oldest_driver = 12040;  // that knows conditional nodes

class Graph final : public Recording {
  public:
    ~Graph() override {
        forget_graph();
        if (executable != nullptr) cudaGraphExecDestroy(executable);
    }
    void forget_graph() {
        if (graph != nullptr) cudaGraphDestroy(graph);
        graph = nullptr;
    }
    cudaGraph_t graph = nullptr;  // until the executable is made
    cudaGraphExec_t executable = nullptr;
};

// What `work` asks of `order` becomes a part of `graph`.
void capture(cudaStream_t order, cudaGraph_t graph, const std::function<void()>& work) {
    CUDA_CHECK(cudaStreamBeginCaptureToGraph(
        order, graph, nullptr, nullptr, 0, cudaStreamCaptureModeThreadLocal));
    try {
        work();
    } catch (...) {
        cudaStreamEndCapture(order, &graph);
        throw;
    }
    CUDA_CHECK(cudaStreamEndCapture(order, &graph));
}

__global__ void decide_kernel(cudaGraphConditionalHandle runs, const bool* unless) {
    cudaGraphSetConditional(runs, *unless ? 0 : 1);
}

// The body of a node of `graph` that is run where *unless is false.
cudaGraph_t add_condition(Stream& stream, cudaGraph_t graph, const bool* unless) {
    cudaGraphNodeParams params{};
    params.type = cudaGraphNodeTypeConditional;
    params.conditional.type = cudaGraphCondTypeIf;
    params.conditional.size = 1;
    CUDA_CHECK(cudaGraphConditionalHandleCreate(
        &params.conditional.handle, graph, 0, cudaGraphCondAssignDefault));
    capture(stream.enter(), graph, [&] {
        launch(stream, decide_kernel, dim3(1), dim3(1), 0, params.conditional.handle, unless);
    });
    cudaGraphNode_t decided = nullptr, node = nullptr;
    size_t one = 1;
    CUDA_CHECK(cudaGraphGetNodes(graph, &decided, &one));
#if CUDART_VERSION >= 13000
    CUDA_CHECK(cudaGraphAddNode(&node, graph, &decided, nullptr, one, &params));
#else
    CUDA_CHECK(cudaGraphAddNode(&node, graph, &decided, one, &params));
#endif
    return params.conditional.phGraph_out[0];
}

}  // namespace

Stream::Stream(int device) : device_(device) {
    int count = 0;
    CUDA_CHECK(cudaGetDeviceCount(&count));
    check(device >= 0 && device < count, "there is no device cuda:", device, ", only ", count);
    CUDA_CHECK(cudaSetDevice(device));
    cudaDeviceProp properties{};
    CUDA_CHECK(cudaGetDeviceProperties(&properties, device));
    check(properties.major >= 8,
          properties.name,
          " has compute capability ",
          properties.major,
          ".",
          properties.minor,
          ", 8.0 is the least");
    processors_ = properties.multiProcessorCount;
    shared_limit_ = properties.sharedMemPerBlockOptin;
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    CUDA_CHECK(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking));
    CUDA_CHECK(cudaStreamCreateWithFlags(&host_, cudaStreamNonBlocking));
    for (cudaEvent_t* event : {&asked_, &answered_})
        CUDA_CHECK(cudaEventCreateWithFlags(event, cudaEventDisableTiming));
    for (auto* events : {free_, filled_, marked_})
        for (int slot = 0; slot < slots; ++slot)
            CUDA_CHECK(cudaEventCreateWithFlags(&events[slot], cudaEventDisableTiming));
}

Stream::~Stream() {
    cudaSetDevice(device_);
    for (cudaStream_t order : {copies_, host_, stream_}) {
        cudaStreamSynchronize(order);
        cudaStreamDestroy(order);
    }
    for (auto* events : {free_, filled_, marked_})
        for (int slot = 0; slot < slots; ++slot) cudaEventDestroy(events[slot]);
    for (cudaEvent_t event : {asked_, answered_}) cudaEventDestroy(event);
}

Buffer Stream::allocate(size_t bytes, const char* purpose) {
    if (bytes == 0) return {};
    enter();
    size_t free = 0, all = 0;
    CUDA_CHECK(cudaMemGetInfo(&free, &all));
    void* address = nullptr;
    const cudaError_t status = cudaMalloc(&address, bytes);
    if (status != cudaSuccess) cudaGetLastError();  // forgotten, or the next call would report it
    if (status == cudaErrorMemoryAllocation)
        fail<OutOfMemory>(purpose,
                          " needs ",
                          megabytes(bytes),
                          " on the GPU, but ",
                          megabytes(free),
                          " of ",
                          megabytes(all),
                          " are free");
    check_cuda(status, purpose);
    return {static_cast<std::byte*>(address), bytes, [](std::byte* p, size_t) { cudaFree(p); }};
}

Buffer Stream::allocate_shared(size_t bytes, const char* purpose) {
    if (bytes == 0) return {};
    enter();
    void* address = nullptr;
    const cudaError_t status =
        cudaHostAlloc(&address, bytes, cudaHostAllocMapped | cudaHostAllocPortable);
    if (status != cudaSuccess) cudaGetLastError();
    if (status == cudaErrorMemoryAllocation)
        fail<OutOfMemory>(purpose,
                          " needs ",
                          megabytes(bytes),
                          " that the GPU can reach, which the system refuses");
    check_cuda(status, purpose);
    return {static_cast<std::byte*>(address), bytes, [](std::byte* p, size_t) { cudaFreeHost(p); }};
}

void Stream::copy(void* to, const void* from, size_t bytes) {
    if (!measuring) CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, enter()));
}

void Stream::wait() {
    if (!measuring) CUDA_CHECK(cudaStreamSynchronize(enter()));
}

void Stream::prefetch(int slot, void* to, const void* from, size_t bytes) {
    if (measuring) return;
    CUDA_CHECK(cudaEventRecord(free_[slot], enter()));
    CUDA_CHECK(cudaStreamWaitEvent(copies_, free_[slot]));
    CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, copies_));
    CUDA_CHECK(cudaEventRecord(filled_[slot], copies_));
}

void Stream::arrive(int slot) {
    if (!measuring) CUDA_CHECK(cudaStreamWaitEvent(enter(), filled_[slot]));
}

void Stream::mark(int slot) {
    if (!measuring) CUDA_CHECK(cudaEventRecord(marked_[slot], enter()));
}

void Stream::wait_for(int slot) {
    if (!measuring) CUDA_CHECK(cudaEventSynchronize(marked_[slot]));
}

void Stream::call_host(void (*work)(void*), void* data) {
    if (measuring) return;
    CUDA_CHECK(cudaEventRecord(asked_, enter()));
    CUDA_CHECK(cudaStreamWaitEvent(host_, asked_));
    CUDA_CHECK(cudaLaunchHostFunc(host_, work, data));
    CUDA_CHECK(cudaEventRecord(answered_, host_));
}

void Stream::join_host() {
    if (!measuring) CUDA_CHECK(cudaStreamWaitEvent(enter(), answered_));
}

size_t Stream::free_memory() {
    enter();
    size_t free = 0, all = 0;
    CUDA_CHECK(cudaMemGetInfo(&free, &all));
    return free;
}

// From what others report (PERFORMANCE.md 5.2), until tests/gpu/check.sh has measured it. The
// context exists since the device was opened, so that free_memory() already lacks it.
::sfumato::Stream::Overhead Stream::overhead() const {
    return {.context = 440'000'000, .recording = 16'000'000};
}

void Stream::repeat(std::unique_ptr<Recording>& recording,
                    const bool* unless,
                    const std::function<void()>& work) {
    if (recording == nullptr) {
        auto made = std::make_unique<Graph>();
        const cudaStream_t order = enter();
        CUDA_CHECK(cudaGraphCreate(&made->graph, 0));
        cudaGraph_t body = made->graph;
        if (unless != nullptr) body = add_condition(*this, made->graph, unless);
        capture(order, body, work);
        CUDA_CHECK(cudaGraphInstantiate(&made->executable, made->graph, 0));
        made->forget_graph();
        recording = std::move(made);
    }
    CUDA_CHECK(cudaGraphLaunch(static_cast<Graph&>(*recording).executable, enter()));
}

std::unique_ptr<::sfumato::Stream> open(int index) { return std::make_unique<Stream>(index); }

std::vector<Gpu> gpus() {
    int count = 0, driver = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    cudaGetLastError();  // forgotten, or the next call would report it
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return {};
    if (status == cudaErrorInsufficientDriver)
        return {{.name = "NVIDIA GPU",
                 .memory_bytes = 0,
                 .free_bytes = 0,
                 .compute_capability = "unknown",
                 .driver = version(driver),
                 .usable = false,
                 .reason = "its driver serves CUDA " + version(driver) + ", needed is " +
                           version(CUDART_VERSION)}};
    if (status != cudaSuccess) return {};
    std::vector<Gpu> out;
    for (int i = 0; i < count; ++i) {
        cudaDeviceProp p{};
        if (cudaGetDeviceProperties(&p, i) != cudaSuccess) continue;
        Gpu gpu{.name = p.name,
                .memory_bytes = p.totalGlobalMem,
                .free_bytes = 0,
                .compute_capability = std::to_string(p.major) + "." + std::to_string(p.minor),
                .driver = version(driver),
                .usable = false,
                .reason = {}};
        if (driver < oldest_driver)
            gpu.reason = "its driver serves CUDA " + version(driver) + ", needed is " +
                         version(oldest_driver);
        else if (p.major < 8)
            gpu.reason =
                "its compute capability is " + gpu.compute_capability + ", 8.0 is the least";
        size_t all = 0;
        if (gpu.reason.empty() && (cudaSetDevice(i) != cudaSuccess ||
                                   cudaMemGetInfo(&gpu.free_bytes, &all) != cudaSuccess)) {
            gpu.reason =
                std::string("it does not answer: ") + cudaGetErrorString(cudaGetLastError());
        }
        gpu.usable = gpu.reason.empty();
        out.push_back(gpu);
    }
    return out;
}

}  // namespace sfumato::cuda
