#include "core/op_times.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sfumato {
namespace {

using Duration = std::chrono::steady_clock::duration;

struct Entry {
    const char* name;
    Duration time;
    int calls;
};

// Fixed, so that timing allocates nothing; there are a dozen operations.
struct Table {
    std::array<Entry, 32> entries;
    size_t used;
};

thread_local Table table{};
thread_local OpTimer* running = nullptr;

}  // namespace

OpTimer::OpTimer(const char* name)
    : outer_(running), name_(name), begin_(std::chrono::steady_clock::now()) {
    running = this;
}

OpTimer::~OpTimer() {
    const Duration all = std::chrono::steady_clock::now() - begin_;
    running = outer_;
    if (outer_ != nullptr) outer_->inner_ += all;
    auto* end = table.entries.data() + table.used;
    auto* entry = std::find_if(table.entries.data(), end, [&](const Entry& e) {
        return std::string_view(e.name) == name_;
    });
    if (entry == end) {
        if (table.used == table.entries.size()) return;
        ++table.used;
        *entry = {name_, Duration{}, 0};
    }
    entry->time += all - inner_;
    ++entry->calls;
}

std::vector<OpTime> take_op_times() {
    std::vector<OpTime> out;
    for (size_t i = 0; i < table.used; ++i) {
        const Entry& e = table.entries[i];
        out.push_back({e.name, std::chrono::duration<double>(e.time).count(), e.calls});
    }
    table.used = 0;
    std::sort(out.begin(), out.end(), [](const OpTime& l, const OpTime& r) {
        return l.seconds > r.seconds;
    });
    return out;
}

}  // namespace sfumato
