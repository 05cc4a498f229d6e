// The threads that share the work of one operation.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace sfumato {

// Tasks of a run are taken from a common counter, so that an uneven or interrupted thread delays
// only its own task. A run allocates nothing. One thread calls run() at a time; bodies do not
// throw.
class Threads {
  public:
    // 0: as many as there are physical cores that this process may use.
    explicit Threads(int count = 0);
    ~Threads();
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

    int count() const { return static_cast<int>(workers_.size()) + 1; }

    // body(task, worker) for every task in [0, tasks), worker in [0, count()); returns when all are
    // done.
    template <class Body>
    void run(int tasks, Body&& body) {
        using Plain = std::remove_reference_t<Body>;
        start(
            tasks,
            [](void* b, int task, int worker) { (*static_cast<Plain*>(b))(task, worker); },
            const_cast<void*>(static_cast<const void*>(&body)));
    }

    // body(begin, end, worker) for pieces of [0, count) of about `grain` items.
    template <class Body>
    void run_range(int items, int grain, Body&& body) {
        const int pieces = (items + grain - 1) / grain;
        run(pieces, [&](int piece, int worker) {
            const int begin = piece * grain;
            body(begin, begin + grain < items ? begin + grain : items, worker);
        });
    }

  private:
    using Body = void (*)(void*, int, int);

    void start(int tasks, Body body, void* context);
    void work(int worker);
    void take_tasks(uint64_t run, int worker);

    // The run's number (upper half) and the next task (lower half) change together, so a thread
    // that slept through a run can never take a task of the next one with the body of the last.
    std::atomic<uint64_t> next_{0};
    std::atomic<uint32_t> run_{0};  // what sleeping workers wait for
    std::atomic<uint32_t> tasks_{0};
    std::atomic<uint32_t> done_{0};
    std::atomic<Body> body_{nullptr};
    std::atomic<void*> context_{nullptr};
    std::atomic<bool> stop_{false};
    std::vector<std::thread> workers_;
};

// Physical cores that this process may run on, at least 1.
int physical_cores();

}  // namespace sfumato
