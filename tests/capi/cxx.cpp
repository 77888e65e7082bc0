// The 20 C++ operators: alignment, zero size, failure, the new-handler in all its ways out.
#include "check.h"
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

extern "C" int stratalloc_owns(const void *) __attribute__((weak));
static volatile std::size_t impossible = static_cast<std::size_t>(PTRDIFF_MAX) + 1;
static volatile std::size_t two_gib = std::size_t{2} << 30;
static int calls;

static bool is_ours(void *p, std::size_t align = 16) {
    return p && reinterpret_cast<std::uintptr_t>(p) % align == 0 && (!stratalloc_owns || stratalloc_owns(p));
}

// Sets a new-handler for one scope.
struct Handler {
    std::new_handler before;
    explicit Handler(std::new_handler handler) : before(std::set_new_handler(handler)) { calls = 0; }
    ~Handler() { std::set_new_handler(before); }
};

// Counts destructors that unwinding runs.
struct Witness {
    int &count;
    ~Witness() { count++; }
};

template <class Exception, class Call> static bool throws(Call call) {
    int unwound = 0;
    try {
        Witness witness{unwound};
        call();
    } catch (const Exception &) {
        return unwound == 1;
    } catch (...) {
    }
    return false;
}

static void all_forms(std::size_t n) {
    const auto align = std::align_val_t{256};
    void *p;
    CHECK(is_ours(p = operator new(n))), operator delete(p);
    CHECK(is_ours(p = operator new(n))), operator delete(p, n);
    CHECK(is_ours(p = operator new[](n))), operator delete[](p);
    CHECK(is_ours(p = operator new[](n))), operator delete[](p, n);
    CHECK(is_ours(p = operator new(n, std::nothrow))), operator delete(p, std::nothrow);
    CHECK(is_ours(p = operator new[](n, std::nothrow))), operator delete[](p, std::nothrow);
    CHECK(is_ours(p = operator new(n, align), 256)), operator delete(p, align);
    CHECK(is_ours(p = operator new(n, align), 256)), operator delete(p, n, align);
    CHECK(is_ours(p = operator new[](n, align), 256)), operator delete[](p, align);
    CHECK(is_ours(p = operator new[](n, align), 256)), operator delete[](p, n, align);
    CHECK(is_ours(p = operator new(n, align, std::nothrow), 256)), operator delete(p, align, std::nothrow);
    CHECK(is_ours(p = operator new[](n, align, std::nothrow), 256)), operator delete[](p, align, std::nothrow);
    CHECK(is_ours(p = operator new(n))), operator delete(p, n + 5000); // a wrong hint does no harm
}

static void null_is_deleted() {
    operator delete(nullptr), operator delete[](nullptr), operator delete(nullptr, std::size_t{1});
    operator delete(nullptr, std::align_val_t{64}), operator delete[](nullptr, std::nothrow);
    CHECK(true);
}

// Calls the four throwing and the four other forms with a size that cannot be had.
template <class Exception> static void fails_everywhere() {
    const auto align = std::align_val_t{64};
    CHECK(throws<Exception>([] { operator new(impossible); }));
    CHECK(throws<Exception>([] { operator new[](impossible); }));
    CHECK(throws<Exception>([=] { operator new(impossible, align); }));
    CHECK(throws<Exception>([=] { operator new[](impossible, align); }));
}

static void nothrow_fails_everywhere() {
    const auto align = std::align_val_t{64};
    CHECK(operator new(impossible, std::nothrow) == nullptr);
    CHECK(operator new[](impossible, std::nothrow) == nullptr);
    CHECK(operator new(impossible, align, std::nothrow) == nullptr);
    CHECK(operator new[](impossible, align, std::nothrow) == nullptr);
}

static void without_handler() {
    errno = 0;
    fails_everywhere<std::bad_alloc>();
    CHECK(errno == ENOMEM);
    nothrow_fails_everywhere();
    CHECK(throws<std::bad_alloc>([] { std::vector<char> v(PTRDIFF_MAX); }));
    CHECK(throws<std::bad_alloc>([] { operator new(64, std::align_val_t{48}); })); // not a power of two
    CHECK(operator new(64, std::align_val_t{48}, std::nothrow) == nullptr);
}

static void handler_gives_up() {
    Handler handler([] {
        if (++calls % 3 == 0) std::set_new_handler(nullptr);
    });
    CHECK(throws<std::bad_alloc>([] { operator new(impossible); }));
    CHECK(calls == 3 && std::get_new_handler() == nullptr);
}

static void handler_throws() {
    struct Mine : std::bad_alloc {};
    {
        Handler handler([] { calls++; throw Mine(); });
        fails_everywhere<Mine>();
        CHECK(calls == 4);
        nothrow_fails_everywhere();
        CHECK(calls == 8);
    }
    Handler handler([] { calls++; throw std::runtime_error(std::string(1000, 'x')); });
    fails_everywhere<std::runtime_error>();
    nothrow_fails_everywhere();
    CHECK(calls == 8);
}

// The handler makes memory available: the operator then succeeds. 2 GiB needs address space of its own.
static rlimit limit_before;
static void handler_helps() {
    getrlimit(RLIMIT_AS, &limit_before);
    const auto with_limit = [](auto call) {
        Handler handler([] { calls++; setrlimit(RLIMIT_AS, &limit_before); });
        rlimit low = limit_before;
        low.rlim_cur = 64 << 20;
        setrlimit(RLIMIT_AS, &low);
        void *p = call();
        setrlimit(RLIMIT_AS, &limit_before);
        CHECK(calls == 1 && p);
        return p;
    };
    operator delete(with_limit([] { return operator new(two_gib); }));
    operator delete[](with_limit([] { return operator new[](two_gib); }));
    operator delete(with_limit([] { return operator new(two_gib, std::nothrow); }));
    operator delete(with_limit([] { return operator new(two_gib, std::align_val_t{64}); }), std::align_val_t{64});
    operator delete(with_limit([] { return operator new(two_gib, std::align_val_t{64}, std::nothrow); }), std::align_val_t{64});
}

struct alignas(128) Wide {
    char bytes[300];
};

static void by_the_language() {
    for (int i = 1; i < 200; i++) {
        auto *wide = new Wide[i];
        CHECK(is_ours(wide, 128) || reinterpret_cast<std::uintptr_t>(wide) % 128 == 0);
        delete[] wide;
        delete new std::string(i, 'y');
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back([] {
            std::vector<std::string> many;
            for (int k = 0; k < 20000; k++) many.push_back(std::string(k % 300, 'z'));
            for (int k = 0; k < 200; k++) if (!throws<std::bad_alloc>([] { operator new(impossible); })) std::abort();
        });
    for (auto &thread : threads) thread.join();
}

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    for (std::size_t n : {0, 1, 16, 100, 1024, 5000, 100000, 3000000}) all_forms(n);
    null_is_deleted();
    without_handler();
    handler_gives_up();
    handler_throws();
    handler_helps();
    by_the_language();
    return REPORT();
}
