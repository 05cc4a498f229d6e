// Fibers, barriers and memory of the emulated device; see README.md.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace {
constexpr size_t shared_limit = 99 * 1024;  // what compute capability 8.6 and 8.9 can give a block
}

namespace sfumato::cuda {
alignas(128) unsigned char shared_memory[shared_limit];
}

// Saves the callee-saved registers on the stack of `from` and continues on the stack `to`.
extern "C" void emulator_switch(void** from, void* to);
asm(R"(
.text
.globl emulator_switch
.type emulator_switch, @function
emulator_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
.size emulator_switch, .-emulator_switch
)");

namespace {

// What the address sanitizer is told, where it watches: memory that nobody may touch, and which
// stack is in use. `leave` comes before a switch to the stack at `bottom` (without `kept`: for the
// last time), `arrive` after it.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t stack_bytes = 512 * 1024;  // red zones take room
void forbid(const void* p, size_t bytes) { __asan_poison_memory_region(p, bytes); }
void allow(const void* p, size_t bytes) { __asan_unpoison_memory_region(p, bytes); }
void leave(void** kept, const void* bottom, size_t bytes) {
    __sanitizer_start_switch_fiber(kept, bottom, bytes);
}
void arrive(void* kept, const void** bottom, size_t* bytes) {
    __sanitizer_finish_switch_fiber(kept, bottom, bytes);
}
#else
constexpr size_t stack_bytes = 128 * 1024;
void forbid(const void*, size_t) {}
void allow(const void*, size_t) {}
void leave(void**, const void*, size_t) {}
void arrive(void*, const void**, size_t*) {}
#endif

}  // namespace

namespace emulator {
namespace {

enum class State { ready, at_block, at_warp, done };

struct Copy {
    void* to;
    const void* from;
    int bytes, source_bytes;
};

struct Fiber {
    void* stack_pointer = nullptr;
    State state = State::ready;
    unsigned mask = 0;
    unsigned collectives = 0;  // how many this lane has entered
    uint3 index{};
    std::vector<std::vector<Copy>> groups;  // committed and not yet waited for, oldest first
    std::vector<Copy> open;                 // issued since the last commit
};

struct Slot {
    unsigned char bytes[32][32];
    unsigned given = 0;  // lanes
};

struct Warp {
    Slot slots[2];
};

std::vector<Fiber> fibers;
std::vector<Warp> warps;
std::vector<unsigned char*> stacks;
void* scheduler = nullptr;
const void* scheduler_stack = nullptr;
size_t scheduler_bytes = 0;
size_t current = 0;
const std::function<void()>* body = nullptr;
std::string kernel_name;
}  // namespace

std::mt19937 shuffle([] {
    const char* seed = std::getenv("SFUMATO_EMULATOR_SEED");
    return seed ? static_cast<unsigned>(std::atoi(seed)) : 1u;
}());

namespace {

void yield(State state) {
    void* kept = nullptr;
    fibers[current].state = state;
    leave(&kept, scheduler_stack, scheduler_bytes);
    emulator_switch(&fibers[current].stack_pointer, scheduler);
    arrive(kept, &scheduler_stack, &scheduler_bytes);
}

// Not watched, because its frame never ends and the next thread is to find a clean stack.
__attribute__((no_sanitize_address)) void fiber_main() {
    arrive(nullptr, &scheduler_stack, &scheduler_bytes);
    (*body)();
    fibers[current].state = State::done;
    leave(nullptr, scheduler_stack, scheduler_bytes);
    emulator_switch(&fibers[current].stack_pointer, scheduler);
    fail("a finished thread went on");
}

void prepare(size_t i) {
    while (stacks.size() <= i)
        stacks.push_back(static_cast<unsigned char*>(std::aligned_alloc(4096, stack_bytes)));
    auto** top = reinterpret_cast<void**>(stacks[i] + stack_bytes);
    *--top = nullptr;                               // keeps the stack aligned as after a call
    *--top = reinterpret_cast<void*>(&fiber_main);  // where the first switch returns to
    for (int r = 0; r < 6; ++r) *--top = nullptr;   // callee-saved registers
    fibers[i] = Fiber{};
    fibers[i].stack_pointer = top;
}

// Lets every warp go on whose waiting lanes all arrived. Returns whether one did.
bool release_warps() {
    bool released = false;
    for (size_t w = 0; w * 32 < fibers.size(); ++w) {
        const size_t first = w * 32, last = std::min(first + 32, fibers.size());
        for (size_t i = first; i < last; ++i) {
            if (fibers[i].state != State::at_warp) continue;
            const unsigned mask = fibers[i].mask;
            bool complete = true;
            for (size_t j = first; j < last; ++j)
                if (mask >> (j - first) & 1)
                    complete &= fibers[j].state == State::done ||
                                (fibers[j].state == State::at_warp && fibers[j].mask == mask);
            if (!complete) continue;
            for (size_t j = first; j < last; ++j)
                if (mask >> (j - first) & 1 && fibers[j].state == State::at_warp)
                    fibers[j].state = State::ready;
            released = true;
        }
    }
    return released;
}

bool release_block() {
    bool any = false;
    for (const Fiber& f : fibers) {
        if (f.state == State::at_block)
            any = true;
        else if (f.state != State::done)
            return false;
    }
    for (Fiber& f : fibers)
        if (f.state == State::at_block) f.state = State::ready;
    return any;
}

void run_block() {
    std::vector<size_t> order(fibers.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (;;) {
        std::shuffle(order.begin(), order.end(), shuffle);
        bool ran = false, alive = false;
        for (size_t i : order) {
            if (fibers[i].state == State::ready) {
                void* kept = nullptr;
                current = i;
                threadIdx = fibers[i].index;
                leave(&kept, stacks[i], stack_bytes);
                emulator_switch(&scheduler, fibers[i].stack_pointer);
                arrive(kept, nullptr, nullptr);
                ran = true;
            }
            alive |= fibers[i].state != State::done;
        }
        if (!alive) return;
        if (!ran && !release_warps() && !release_block())
            fail("threads wait for each other in vain");
    }
}

}  // namespace

void fail(const char* what) {
    std::fprintf(stderr,
                 "CUDA emulator: %s: %s (block %u %u %u, thread %u %u %u)\n",
                 kernel_name.c_str(),
                 what,
                 blockIdx.x,
                 blockIdx.y,
                 blockIdx.z,
                 threadIdx.x,
                 threadIdx.y,
                 threadIdx.z);
    std::abort();
}

void run(const char* kernel,
         dim3 grid,
         dim3 block,
         size_t shared_bytes,
         const std::function<void()>& thread) {
    kernel_name = kernel;
    const size_t threads = size_t(block.x) * block.y * block.z;
    if (threads == 0 || threads > 1024) fail("a block of no or more than 1024 threads");
    if (shared_bytes > shared_limit) fail("more dynamic shared memory than a block can have");
    if (size_t(grid.x) * grid.y * grid.z == 0 || grid.y > 65535 || grid.z > 65535)
        fail("an impossible grid");
    body = &thread;
    gridDim = grid;
    blockDim = block;
    fibers.resize(threads);
    for (unsigned z = 0; z < grid.z; ++z)
        for (unsigned y = 0; y < grid.y; ++y)
            for (unsigned x = 0; x < grid.x; ++x) {
                blockIdx = {x, y, z};
                std::memset(sfumato::cuda::shared_memory, 0xff, shared_limit);
                warps.assign((threads + 31) / 32, Warp{});
                for (size_t i = 0; i < threads; ++i) {
                    prepare(i);
                    fibers[i].index = {unsigned(i % block.x),
                                       unsigned(i / block.x % block.y),
                                       unsigned(i / block.x / block.y)};
                }
                forbid(sfumato::cuda::shared_memory + shared_bytes, shared_limit - shared_bytes);
                run_block();
                allow(sfumato::cuda::shared_memory, shared_limit);
                for (size_t i = shared_bytes; i < shared_limit; ++i)
                    if (sfumato::cuda::shared_memory[i] != 0xff)
                        fail("wrote beyond its shared memory");
            }
}

int lane() { return static_cast<int>(current % 32); }

void block_barrier() { yield(State::at_block); }

void warp_barrier(unsigned mask) {
    const size_t first = current / 32 * 32;
    const size_t lanes = std::min<size_t>(32, fibers.size() - first);
    if (lanes < 32) mask &= (1u << lanes) - 1;
    if (!(mask >> lane() & 1)) fail("a lane outside the mask of its collective");
    fibers[current].mask = mask;
    yield(State::at_warp);
}

void exchange(unsigned mask, const void* value, size_t bytes, const unsigned char* (&out)[32]) {
    // Two slots in turn: a lane can be at most one collective ahead of the slowest.
    Slot& slot = warps[current / 32].slots[fibers[current].collectives++ % 2];
    if (bytes > sizeof slot.bytes[0]) fail("a collective of too large a value");
    const int self = lane();
    std::memcpy(slot.bytes[self], value, bytes);
    warp_barrier(mask);
    const size_t first = current / 32 * 32;
    for (int i = 0; i < 32; ++i) {
        const bool gave = (mask >> i & 1) && first + size_t(i) < fibers.size();
        out[i] = gave ? slot.bytes[i] : nullptr;
    }
}

void copy_async(void* shared, const void* global, int bytes, int source_bytes) {
    if (reinterpret_cast<uintptr_t>(shared) % size_t(bytes) ||
        reinterpret_cast<uintptr_t>(global) % size_t(bytes))
        fail("a misaligned cp.async");
    fibers[current].open.push_back({shared, global, bytes, source_bytes});
}

void copy_commit() {
    fibers[current].groups.push_back(std::move(fibers[current].open));
    fibers[current].open.clear();
}

void copy_wait(int pending_groups) {
    auto& groups = fibers[current].groups;
    while (static_cast<int>(groups.size()) > pending_groups) {
        for (const Copy& c : groups.front()) {
            std::memset(c.to, 0, size_t(c.bytes));
            std::memcpy(c.to, c.from, size_t(c.source_bytes));
        }
        groups.erase(groups.begin());
    }
}

}  // namespace emulator

// Another order of threads, for tests.
extern "C" __attribute__((visibility("default"))) void sfumato_emulator_seed(unsigned seed) {
    emulator::shuffle.seed(seed);
}

namespace {
size_t emulated_memory = size_t(1) << 32;
size_t used_memory = 0;

// Memory is laid out as [size, where it is the device's, padding to 256 bytes][memory].
cudaError_t allocate(void** p, size_t bytes, bool of_device) {
    const size_t counted = of_device ? bytes : 0;
    if (used_memory + counted > emulated_memory) return cudaErrorMemoryAllocation;
    const size_t whole = (bytes + 256 + 255) / 256 * 256;
    auto* block = static_cast<unsigned char*>(std::aligned_alloc(256, whole));
    if (!block) return cudaErrorMemoryAllocation;
    std::memset(block, 0xff, whole);
    std::memcpy(block, &counted, sizeof counted);
    used_memory += counted;
    forbid(block, 256);
    forbid(block + 256 + bytes, whole - 256 - bytes);
    *p = block + 256;
    return cudaSuccess;
}

cudaError_t release(void* p) {
    if (!p) return cudaSuccess;
    auto* block = static_cast<unsigned char*>(p) - 256;
    size_t bytes;
    allow(block, 256);
    std::memcpy(&bytes, block, sizeof bytes);
    used_memory -= bytes;
    std::free(block);
    return cudaSuccess;
}
}  // namespace

// Bytes of the device, for tests that only plan.
extern "C" __attribute__((visibility("default"))) void sfumato_emulator_memory(size_t bytes) {
    emulated_memory = bytes;
}

cudaError_t cudaGetDeviceCount(int* count) {
    *count = 1;
    return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidValue; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
    *p = {};
    std::snprintf(p->name, sizeof p->name, "emulated device");
    p->totalGlobalMem = emulated_memory;
    p->sharedMemPerBlockOptin = shared_limit;
    p->major = 8;
    p->minor = 6;
    p->multiProcessorCount = 4;
    p->l2CacheSize = 4 << 20;
    return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    *total = emulated_memory;
    *free = emulated_memory - used_memory;
    return cudaSuccess;
}

namespace {

// One recording of an event.
struct Moment {
    bool passed = false;
    EmulatedGraph* graph = nullptr;  // that it belongs to
};

// What a stream is asked to do: some work, or to pass a moment, or to wait for one.
struct Order {
    std::function<void()> work;
    std::shared_ptr<Moment> passes, waits;

    bool ready() const { return !waits || waits->passed; }
    void run() const {
        if (work) work();
        if (passes) passes->passed = true;
    }
};
using Lane = std::deque<Order>;

// Takes from any lane whose first order is ready, until `done`.
template <class Done>
void run_lanes(const std::vector<Lane*>& lanes, Done&& done) {
    while (!done()) {
        std::vector<Lane*> ready;
        for (Lane* lane : lanes)
            if (!lane->empty() && lane->front().ready()) ready.push_back(lane);
        if (ready.empty()) emulator::fail("streams wait for each other in vain");
        Lane& lane = *ready[emulator::shuffle() % ready.size()];
        const Order order = std::move(lane.front());
        lane.pop_front();
        order.run();
    }
}

}  // namespace

struct EmulatedEvent {
    std::shared_ptr<Moment> last = std::make_shared<Moment>(Moment{true, nullptr});
};
struct EmulatedStream {
    Lane lane;
    EmulatedGraph* graph = nullptr;  // that captures it
};
struct EmulatedGraph {
    std::map<EmulatedStream*, Lane> lanes;
    std::vector<std::shared_ptr<Moment>> moments;

    // Its only conditional node, which comes after the lanes where it depends on them.
    std::shared_ptr<unsigned> value;  // of the handle
    unsigned default_value = 0;
    std::shared_ptr<EmulatedGraph> body;
    EmulatedGraph* bodies[1] = {};
    bool depends = false;
    bool is_body = false;
};

namespace {

std::vector<EmulatedStream*> streams;

void ask(EmulatedStream* stream, Order order) {
    if (!stream) emulator::fail("the default stream is not used here");
    Lane& lane = stream->graph ? stream->graph->lanes[stream] : stream->lane;
    lane.push_back(std::move(order));
}

// Until `only`, or every stream where it is nullptr, has nothing left to do.
void run_streams(const EmulatedStream* only) {
    std::vector<Lane*> lanes;
    for (EmulatedStream* stream : streams) lanes.push_back(&stream->lane);
    run_lanes(lanes, [&] {
        for (const EmulatedStream* stream : streams)
            if ((!only || stream == only) && !stream->lane.empty()) return false;
        return true;
    });
}

}  // namespace

void emulator::queue(cudaStream_t stream, std::function<void()> work) {
    ask(stream, {.work = std::move(work), .passes = {}, .waits = {}});
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
    streams.push_back(*stream = new EmulatedStream);
    return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    run_streams(stream);
    std::erase(streams, stream);
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    if (stream->graph) emulator::fail("a wait for a stream that is being captured");
    run_streams(stream);
    return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    *event = new EmulatedEvent;
    return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const std::shared_ptr<Moment> last = event->last;
    if (last->graph) emulator::fail("a wait for an event of a capture");
    std::vector<Lane*> lanes;
    for (EmulatedStream* stream : streams) lanes.push_back(&stream->lane);
    run_lanes(lanes, [&] { return last->passed; });
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    event->last = std::make_shared<Moment>(Moment{false, stream->graph});
    if (stream->graph) stream->graph->moments.push_back(event->last);
    ask(stream, {.work = {}, .passes = event->last, .waits = {}});
    return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
    EmulatedGraph* const graph = event->last->graph;
    if (stream->graph && stream->graph != graph)
        emulator::fail("a captured stream waits for what is outside the capture");
    stream->graph = graph;  // a captured event takes the stream into the capture
    ask(stream, {.work = {}, .passes = {}, .waits = event->last});
    return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, void (*work)(void*), void* data) {
    if (stream->graph && stream->graph->is_body)
        emulator::fail("a host function in the body of a condition");
    emulator::queue(stream, [=] { work(data); });
    return cudaSuccess;
}
cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned) {
    *graph = new EmulatedGraph;
    return cudaSuccess;
}
cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t stream,
                                          cudaGraph_t graph,
                                          const cudaGraphNode_t*,
                                          const void*,
                                          size_t,
                                          cudaStreamCaptureMode) {
    if (stream->graph || !graph->lanes.empty()) return cudaErrorInvalidValue;
    stream->graph = graph;
    return cudaSuccess;
}
cudaError_t cudaGraphConditionalHandleCreate(cudaGraphConditionalHandle* handle,
                                             cudaGraph_t graph,
                                             unsigned default_value,
                                             unsigned) {
    graph->value = std::make_shared<unsigned>(default_value);
    graph->default_value = default_value;
    *handle = graph->value.get();
    return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
    *count = std::min(*count, size_t(!graph->lanes.empty()));
    if (*count) nodes[0] = graph;
    return cudaSuccess;
}
cudaError_t cudaGraphAddNode(cudaGraphNode_t* node,
                             cudaGraph_t graph,
                             const cudaGraphNode_t* dependencies,
                             const void*,
                             size_t count,
                             cudaGraphNodeParams* params) {
    if (graph->body || graph->is_body || !graph->value ||
        params->conditional.handle != graph->value.get() || params->conditional.size != 1)
        return cudaErrorInvalidValue;
    graph->depends = count == 1 && dependencies[0] == graph;
    graph->body = std::make_shared<EmulatedGraph>();
    graph->body->is_body = true;
    graph->bodies[0] = graph->body.get();
    params->conditional.phGraph_out = graph->bodies;
    *node = graph->body.get();
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* out) {
    EmulatedGraph* const graph = *out = stream->graph;
    if (!graph) return cudaErrorInvalidValue;
    for (const auto& [other, lane] : graph->lanes) {
        other->graph = nullptr;
        if (other == stream) continue;
        // What came in has to come back: its last order is one that the captured stream waits for.
        const auto last = lane.back().passes;
        bool joined = false;
        for (const Order& order : graph->lanes[stream]) joined |= last && order.waits == last;
        if (!joined) emulator::fail("a stream of the capture was not joined");
    }
    for (const auto& moment : graph->moments) moment->graph = nullptr;
    stream->graph = nullptr;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable,
                                 cudaGraph_t graph,
                                 unsigned long long) {
    *executable = new EmulatedGraph(*graph);
    return cudaSuccess;
}
static void run_graph(const EmulatedGraph& graph) {
    for (const auto& moment : graph.moments) moment->passed = false;
    std::map<EmulatedStream*, Lane> again = graph.lanes;
    std::vector<Lane*> lanes;
    for (auto& [_, lane] : again) lanes.push_back(&lane);
    run_lanes(lanes, [&] {
        for (const Lane* lane : lanes)
            if (!lane->empty()) return false;
        return true;
    });
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    emulator::queue(stream, [executable] {
        if (executable->value) *executable->value = executable->default_value;
        const auto decide = [&] {
            if (executable->body && *executable->value) run_graph(*executable->body);
        };
        if (!executable->depends) decide();
        run_graph(*executable);
        if (executable->depends) decide();
    });
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    delete graph;
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    run_streams(nullptr);
    return cudaGraphDestroy(executable);
}

cudaError_t cudaMalloc(void** p, size_t bytes) { return allocate(p, bytes, true); }
// Memory is freed when nobody uses it any more.
cudaError_t cudaFree(void* p) {
    run_streams(nullptr);
    return release(p);
}
cudaError_t cudaMallocHost(void** p, size_t bytes) { return allocate(p, bytes, false); }
cudaError_t cudaFreeHost(void* p) { return cudaFree(p); }
