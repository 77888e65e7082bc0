/* Eight threads with a bounded live set whose size mix changes from phase to phase, blocks changing hands: resident memory
 * reaches a plateau. Afterwards everything is freed and malloc_trim(0) leaves less than 2 MiB above the start, plus the
 * fixed residue (stacks kept by glibc, the heap's tables): RESIDUE_KIB, by default 2048. */
#include "torture.h"

enum { THREADS = 8, CELLS = 20000, PHASES = 24 };
static size_t budget; /* live bytes a thread */
struct cell { size_t size; uint64_t seed; unsigned char bytes[]; };
static struct cell *_Atomic exchange[64];
static pthread_barrier_t phase_begins, phase_ends;
static long rounds;

/* One mix per phase: mostly tiny, mostly pages, mostly large, narrow bands, everything. */
static size_t mixed_size(uint64_t *random, int phase) {
    switch (phase % 6) {
    case 0: return random_size(random, 8);
    case 1: return 1000 + next_random(random) % 3000;
    case 2: return random_size(random, 17);
    case 3: return 48 + next_random(random) % 16;
    case 4: return 30000 + next_random(random) % 200000;
    default: return random_size(random, 20);
    }
}

static size_t drop(struct cell *cell) {
    if (!cell) return 0;
    size_t size = cell->size, head = size < 64 ? size : 64;
    must_hold(cell->bytes, head, cell->seed, "soak");
    free(cell);
    return size;
}

static void *body(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    struct cell **cells = calloc(CELLS, sizeof *cells);
    size_t live = 0, clock = 0;
    for (int phase = 0; phase < PHASES; phase++) {
        pthread_barrier_wait(&phase_begins);
        for (long i = 0; i < rounds; i++) {
            size_t size = mixed_size(&random, phase);
            struct cell *cell = malloc(sizeof *cell + size);
            CHECK(cell, "malloc(%zu)", size);
            cell->size = size;
            cell->seed = next_random(&random);
            mark(cell->bytes, size < 64 ? size : 64, cell->seed);
            for (size_t k = 4096; k < size; k += 4096) cell->bytes[k] = 1; /* really resident */
            live += size;
            if (i % 8 == 0) { /* hand one on, take another over: remote frees */
                live -= size;
                cell = __atomic_exchange_n(&exchange[next_random(&random) % 64], cell, __ATOMIC_ACQ_REL);
                if (!cell) continue;
                live += cell->size;
            }
            size_t at = next_random(&random) % CELLS;
            live -= drop(cells[at]);
            cells[at] = cell;
            while (live > budget) { live -= drop(cells[clock % CELLS]); cells[clock++ % CELLS] = NULL; }
        }
        pthread_barrier_wait(&phase_ends);
    }
    for (size_t i = 0; i < CELLS; i++) drop(cells[i]);
    free(cells);
    return NULL;
}

int main(void) {
    rounds = scaled(20000, 500);
    budget = scaled(10, 0) < 1 ? MIB : 4 * MIB; /* below SCALE 0.1 memory is little, too */
    const char *given = getenv("RESIDUE_KIB");
    long residue = given ? atol(given) : on_trial() ? 2048 : 32768; /* glibc keeps some 9 MiB here */
    free(malloc(1));
    long base = resident_kib(), peaks[3] = {0};
    pthread_barrier_init(&phase_begins, NULL, THREADS + 1);
    pthread_barrier_init(&phase_ends, NULL, THREADS + 1);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = start(body, (void *)(i + 1));
    for (int phase = 0; phase < PHASES; phase++) {
        pthread_barrier_wait(&phase_begins);
        pthread_barrier_wait(&phase_ends);
        long now = resident_kib(), *peak = &peaks[phase * 3 / PHASES];
        if (now > *peak) *peak = now;
    }
    for (int i = 0; i < THREADS; i++) join(threads[i]);
    for (int i = 0; i < 64; i++) drop(exchange[i]);
    malloc_trim(0);
    long rest = resident_kib();
    /* Eight phases see every mix; the last third must not stand above the middle one by more than a tenth and 4 MiB. */
    CHECK(peaks[2] < peaks[1] + peaks[1] / 10 + 4096, "no plateau: peaks %ld, %ld, %ld KiB", peaks[0], peaks[1], peaks[2]);
    CHECK(rest < base + 2048 + residue, "resident %ld KiB at the start, %ld after all is freed and trimmed", base, rest);
    PASS("peaks %ld, %ld, %ld KiB; %ld at the start, %ld after trim", peaks[0], peaks[1], peaks[2], base, rest);
}
