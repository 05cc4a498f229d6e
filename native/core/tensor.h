// A view of rows in memory that somebody else owns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sfumato {

// [rows, width], contiguous.
template <class T>
struct View {
    T* data = nullptr;
    int rows = 0;
    int width = 0;

    constexpr T* row(int r) const {
        return data + static_cast<size_t>(r) * static_cast<size_t>(width);
    }
    size_t size() const { return static_cast<size_t>(rows) * static_cast<size_t>(width); }
    View first(int count) const { return {data, count, width}; }

    operator View<const T>() const
        requires(!std::is_const_v<T>)
    {
        return {data, rows, width};
    }
};

}  // namespace sfumato
