#include "core/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace sfumato {

#ifdef _WIN32

File::File(const std::string& path) {
    const int length = MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, nullptr, 0);
    std::wstring wide(static_cast<size_t>(std::max(length, 1)), L'\0');
    MultiByteToWideChar(CP_UTF8, 0, path.c_str(), -1, wide.data(), length);
    handle_ = CreateFileW(wide.c_str(),
                          GENERIC_READ,
                          FILE_SHARE_READ,
                          nullptr,
                          OPEN_EXISTING,
                          FILE_ATTRIBUTE_NORMAL,
                          nullptr);
    LARGE_INTEGER size{};
    check(handle_ != INVALID_HANDLE_VALUE, path, " cannot be opened (", GetLastError(), ")");
    check(GetFileSizeEx(handle_, &size) != 0, path, " cannot be measured (", GetLastError(), ")");
    size_ = static_cast<uint64_t>(size.QuadPart);
}

File::~File() { CloseHandle(handle_); }

bool File::read(uint64_t offset, std::byte* into, size_t bytes) const noexcept {
    while (bytes > 0) {
        OVERLAPPED at{};
        at.Offset = static_cast<DWORD>(offset);
        at.OffsetHigh = static_cast<DWORD>(offset >> 32);
        DWORD got = 0;
        const DWORD want = static_cast<DWORD>(std::min<size_t>(bytes, 1u << 30));
        if (!ReadFile(handle_, into, want, &got, &at) || got == 0) return false;
        offset += got;
        into += got;
        bytes -= got;
    }
    return true;
}

#else

File::File(const std::string& path) {
    handle_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    check(handle_ >= 0, path, " cannot be opened: ", std::strerror(errno));
    struct stat status{};
    if (fstat(handle_, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(handle_);
        fail(path, " is no regular file");
    }
    size_ = static_cast<uint64_t>(status.st_size);
}

File::~File() { ::close(handle_); }

bool File::read(uint64_t offset, std::byte* into, size_t bytes) const noexcept {
    while (bytes > 0) {
        const ssize_t got = pread(handle_, into, bytes, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        offset += static_cast<uint64_t>(got);
        into += got;
        bytes -= static_cast<size_t>(got);
    }
    return true;
}

#endif

}  // namespace sfumato
