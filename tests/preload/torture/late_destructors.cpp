// 10 000 threads that still allocate and free while they end, after the allocator's own exit hook ran:
// C++ thread_local destructors, then pthread keys below and above the allocator's (four rounds of destructors, each
// re-armed), then glibc's own release of per-thread buffers. Resident memory stays flat.
// (A heap rebuilt by a late call and never torn down again costs mimalloc 2 MB a thread here.)
#include "torture.h"

static const size_t sizes[] = {24, 400, 5000, 40000};
static pthread_key_t early_key, late_key;
static void *last_words[64]; // blocks allocated by the very last destructor of a thread, freed by main

struct Farewell {
    int rounds = 0, slot = 0;
    void *kept[4] = {};
};

static void exchange(Farewell *f, int round) {
    for (int i = 0; i < 4; i++) {
        if (f->kept[i]) {
            must_hold(f->kept[i], sizes[i], (uint64_t)(round - 1), "late destructor");
            free(f->kept[i]);
        }
        f->kept[i] = malloc(sizes[i]);
        CHECK(f->kept[i], "malloc(%zu) in a late destructor", sizes[i]);
        mark(f->kept[i], sizes[i], (uint64_t)round);
    }
}

static void finish(Farewell *f) {
    for (void *block : f->kept) free(block);
    if (f->slot >= 0) last_words[f->slot] = malloc(100);
    free(f);
}

static void at_exit_of_thread(pthread_key_t key, void *value) {
    auto *f = static_cast<Farewell *>(value);
    exchange(f, ++f->rounds);
    // PTHREAD_DESTRUCTOR_ITERATIONS is 4: the fourth call is the last one that glibc makes.
    if (f->rounds < 4) pthread_setspecific(key, f);
    else finish(f);
}
static void early_destructor(void *value) { at_exit_of_thread(early_key, value); }
static void late_destructor(void *value) { at_exit_of_thread(late_key, value); }

struct Object {
    char *text = nullptr;
    int *numbers = nullptr;
    ~Object() {
        delete[] text;
        int *more = new int[1000];
        more[999] = numbers ? numbers[3] : 0;
        delete[] numbers;
        delete[] more;
    }
};
static thread_local Object object;

static void *body(void *argument) {
    object.text = new char[300];
    object.numbers = new int[70]();
    pthread_key_t keys[2] = {early_key, late_key};
    for (int i = 0; i < 2; i++) {
        auto *f = static_cast<Farewell *>(calloc(1, sizeof(Farewell)));
        CHECK(f, "calloc");
        f->slot = i == 1 ? static_cast<int>(reinterpret_cast<intptr_t>(argument)) : -1;
        pthread_setspecific(keys[i], f);
    }
    // glibc keeps this text in a per-thread buffer that it frees after all destructors.
    CHECK(strerror(99999) != nullptr, "strerror");
    return nullptr;
}

static void wave(int count) {
    pthread_t threads[64];
    for (int i = 0; i < count; i++) threads[i] = start(body, reinterpret_cast<void *>(static_cast<intptr_t>(i)));
    for (int i = 0; i < count; i++) {
        join(threads[i]);
        CHECK(last_words[i], "no block from the last destructor");
        free(last_words[i]);
        last_words[i] = nullptr;
    }
}

static void *touch(void *) {
    free(malloc(100));
    return nullptr;
}

int main() {
    pthread_key_create(&early_key, early_destructor);
    join(start(touch, nullptr)); // by now the allocator has its own key, if it uses one
    pthread_key_create(&late_key, late_destructor);
    enum { WAVE = 20 };
    long waves = scaled(10000 / WAVE, 20), warm = waves / 10 < 5 ? 5 : waves / 10, base = 0, highest = 0;
    for (long i = 0; i < waves; i++) {
        wave(WAVE);
        long now = resident_kib();
        if (i < warm) { if (now > base) base = now; }
        else if (now > highest) highest = now;
        // One page for every second thread is already too much; stop before a leak eats the machine.
        CHECK(i < warm || highest < base + 8192, "resident %ld -> %ld KiB after %ld of %ld threads", base, highest, (i + 1) * WAVE, waves * WAVE);
    }
    PASS("%ld threads, resident %ld -> %ld KiB", waves * WAVE, base, highest);
}
