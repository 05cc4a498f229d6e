#include "core/memory.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

#include "core/error.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <sys/mman.h>
#endif

namespace sfumato {
namespace {

std::string megabytes(size_t bytes) { return std::to_string(bytes / 1'000'000) + " MB"; }

}  // namespace

Buffer::Buffer(size_t bytes, const char* purpose) {
    if (bytes == 0) return;
    constexpr size_t reserve = 1u << 26;  // for everything small that is not asked for here
    const size_t available = available_memory();
    if (available != 0 && bytes > reserve && bytes - reserve > available)
        fail<OutOfMemory>(
            purpose, " needs ", megabytes(bytes), ", but ", megabytes(available), " are free");
#ifdef _WIN32
    void* address = VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    const bool failed = address == nullptr;
#else
    void* address =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool failed = address == MAP_FAILED;
#endif
    if (failed)
        fail<OutOfMemory>(purpose, " needs ", megabytes(bytes), ", which the system refuses");
#ifdef MADV_HUGEPAGE
    if (bytes >= (1u << 22)) madvise(address, bytes, MADV_HUGEPAGE);  // fewer TLB misses; may fail
#endif
    data_ = static_cast<std::byte*>(address);
    bytes_ = bytes;
    release_ = [](std::byte* data, [[maybe_unused]] size_t size) {
#ifdef _WIN32
        VirtualFree(data, 0, MEM_RELEASE);
#else
        munmap(data, size);
#endif
    };
}

Buffer::~Buffer() {
    if (data_ != nullptr) release_(data_, bytes_);
}

size_t available_memory() {
#ifdef _WIN32
    MEMORYSTATUSEX status{};
    status.dwLength = sizeof status;
    return GlobalMemoryStatusEx(&status) ? static_cast<size_t>(status.ullAvailPageFile) : 0;
#else
    std::ifstream file("/proc/meminfo");
    std::string key;
    uint64_t kilobytes = 0;
    while (file >> key >> kilobytes) {
        if (key == "MemAvailable:") return static_cast<size_t>(kilobytes) * 1024;
        file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    return 0;
#endif
}

}  // namespace sfumato
