// A C++ module that a C program loads: the C++ runtime comes late and into no global scope.
#include <cstdint>
#include <new>

static volatile std::size_t impossible = static_cast<std::size_t>(PTRDIFF_MAX) + 1;
static int calls;

extern "C" int catches_bad_alloc() {
    try {
        operator new(impossible);
    } catch (const std::bad_alloc &) {
        return operator new(impossible, std::nothrow) == nullptr;
    }
    return 0;
}

extern "C" int handler_is_called() {
    std::set_new_handler([] { calls++; throw std::bad_alloc(); });
    const int caught = catches_bad_alloc();
    std::set_new_handler(nullptr);
    return caught && calls == 2;
}
