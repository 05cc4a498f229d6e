// Where the time of a step goes. Operations count for themselves only, not for those they call.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace sfumato {

struct OpTime {
    std::string name;
    double seconds;
    int calls;
};

// Counts for `name` (a literal) from here to the end of the block, on the thread that runs the
// model.
class OpTimer {
  public:
    explicit OpTimer(const char* name);
    ~OpTimer();
    OpTimer(const OpTimer&) = delete;
    OpTimer& operator=(const OpTimer&) = delete;

  private:
    OpTimer* outer_;
    const char* name_;
    std::chrono::steady_clock::time_point begin_;
    std::chrono::steady_clock::duration inner_{};  // spent in operations called from here
};

// What this thread's operations took since the last call, the longest first.
std::vector<OpTime> take_op_times();

}  // namespace sfumato
