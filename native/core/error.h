// What goes wrong in native code; bindings turn each into a Python exception of the same name.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace sfumato {

class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class OutOfMemory : public Error {
  public:
    using Error::Error;
};

class Cancelled : public Error {
  public:
    using Error::Error;
};

template <class E = Error, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    throw E(text.str());
}

template <class... Parts>
void check(bool condition, const Parts&... parts) {
    if (!condition) fail(parts...);
}

}  // namespace sfumato
