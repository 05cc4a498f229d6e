#include "core/parallel.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#ifdef __linux__
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace sfumato {
namespace {

// About 20 µs: longer than the gap between two operations of a step, shorter than is felt
// elsewhere.
constexpr int spins = 400;

// As the next task: no run has so many, so nothing can be taken.
constexpr uint64_t closed = 0xffffffff;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
}

// Waits until `value` is not `old`: first awake, then asleep.
template <class T>
void wait_while(const std::atomic<T>& value, T old) {
    for (int i = 0; i < spins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        pause();
    }
    value.wait(old, std::memory_order_acquire);
}

}  // namespace

Threads::Threads(int count) {
    if (count <= 0) count = physical_cores();
    workers_.reserve(static_cast<size_t>(count - 1));
    try {
        for (int worker = 1; worker < count; ++worker)
            workers_.emplace_back([this, worker] { work(worker); });
    } catch (const std::system_error&) {
        // The system allows no more threads: those that started share the work.
    }
}

Threads::~Threads() {
    stop_.store(true);
    run_.fetch_add(1);
    run_.notify_all();
    for (std::thread& worker : workers_) worker.join();
}

void Threads::start(int tasks, Body body, void* context) {
    if (tasks <= 0) return;
    if (workers_.empty() || tasks == 1) {
        for (int task = 0; task < tasks; ++task) body(context, task, 0);
        return;
    }
    // Nothing of the last run is left to take: its tasks are all done.
    const uint64_t run = (next_.load(std::memory_order_relaxed) >> 32) + 1;
    // A worker may still be looking for tasks of the last run: close the counter before it can see
    // how many the new run has, or it takes one that neither has.
    next_.store(run << 32 | closed, std::memory_order_relaxed);
    body_.store(body, std::memory_order_release);
    context_.store(context, std::memory_order_release);
    tasks_.store(static_cast<uint32_t>(tasks), std::memory_order_release);
    done_.store(0, std::memory_order_relaxed);
    next_.store(run << 32, std::memory_order_release);
    // In the single total order, or notify_all might look for sleepers before they see the run.
    run_.store(static_cast<uint32_t>(run), std::memory_order_seq_cst);
    run_.notify_all();
    take_tasks(run, 0);
    const auto all = static_cast<uint32_t>(tasks);
    for (uint32_t done = done_.load(std::memory_order_acquire); done != all;
         done = done_.load(std::memory_order_acquire))
        wait_while(done_, done);
}

void Threads::work(int worker) {
    uint32_t seen = 0;
    while (true) {
        wait_while(run_, seen);
        // In this order: a stop after the run that woke this worker is a run not seen yet.
        seen = run_.load(std::memory_order_acquire);
        if (stop_.load(std::memory_order_acquire)) return;
        take_tasks(next_.load(std::memory_order_acquire) >> 32, worker);
    }
}

void Threads::take_tasks(uint64_t run, int worker) {
    while (true) {
        uint64_t next = next_.load(std::memory_order_acquire);
        const uint32_t tasks = tasks_.load(std::memory_order_acquire);
        const Body body = body_.load(std::memory_order_acquire);
        void* context = context_.load(std::memory_order_acquire);
        if ((next >> 32) != run || static_cast<uint32_t>(next) >= tasks) return;
        // Succeeds only if no other run began since `next` was read, so body and context belong to
        // it.
        if (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) continue;
        body(context, static_cast<int>(static_cast<uint32_t>(next)), worker);
        if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == tasks) done_.notify_one();
    }
}

int physical_cores() {
    const int logical = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return logical;
    std::set<std::string> cores;  // one entry for all hyper-threads of a core
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(static_cast<size_t>(cpu), &allowed)) continue;
        std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                           "/topology/thread_siblings_list");
        std::string siblings;
        if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
        cores.insert(siblings);
    }
    return std::max(1, static_cast<int>(cores.size()));
#else
    return logical;
#endif
}

}  // namespace sfumato
