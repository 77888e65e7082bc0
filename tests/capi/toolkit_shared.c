/* Resources made in one shared object, used, released and ended in another, and as the upstream of one made in a third.
 *
 *     toolkit_shared MAKER USER ANOTHER_MAKER */
#include "check.h"
#include "stratalloc_toolkit.h"
#include <dlfcn.h>

typedef stratalloc_resource *make_function(unsigned, stratalloc_resource *);
typedef int fill_function(stratalloc_resource *, unsigned char, stratalloc_block *);
typedef int finish_function(stratalloc_resource *, unsigned char, stratalloc_block);
typedef int end_function(stratalloc_resource *);
typedef const void *copy_function(void);

static void *open_object(const char *path) {
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL) printf("%s\n", dlerror());
    return object;
}

/* The functions of the three objects. */
static make_function *make, *make_elsewhere;
static fill_function *fill, *fill_elsewhere;
static finish_function *finish;
static end_function *end;

static void each_kind(void) {
    unsigned number;
    stratalloc_resource *resource;
    stratalloc_block blocks[10];
    for (number = 0; (resource = make(number, NULL)) != NULL; number++) {
        unsigned char mark;
        for (mark = 0; mark < 10; mark++) CHECK(fill(resource, mark, &blocks[mark]) == STRATALLOC_OK);
        /* Last in, first out, as stacks want it. A frame takes the youngest back, and the last step sees that. */
        for (mark = 10; mark-- > 0;) CHECK(finish(resource, mark, blocks[mark]) == 0);
        CHECK(end(resource) == STRATALLOC_OK);
    }
    CHECK(number == 8);
}

/* A heap of one copy of the library in the memory of another copy's. */
static void stacked(void) {
    stratalloc_resource *below = make_elsewhere(5, NULL), *above;
    stratalloc_block block, other;
    unsigned number;
    CHECK(below != NULL);
    for (number = 0; below != NULL && (above = make(number, below)) != NULL; number++) {
        CHECK(fill(above, 7, &block) == STRATALLOC_OK && fill_elsewhere(above, 8, &other) == STRATALLOC_OK);
        CHECK(finish(above, 8, other) == 0 && finish(above, 7, block) == 0);
        CHECK(end(above) == STRATALLOC_OK);
    }
    CHECK(number == 7);
    stratalloc_usage usage = STRATALLOC_USAGE_INIT;
    CHECK(below->table->usage(below, &usage) == STRATALLOC_OK && usage.live_blocks == 0);
    CHECK(end(below) == STRATALLOC_OK);
}

int main(int count, char **arguments) {
    void *maker, *user, *elsewhere;
    if (count != 4) return 2;
    maker = open_object(arguments[1]);
    user = open_object(arguments[2]);
    elsewhere = open_object(arguments[3]);
    if (maker == NULL || user == NULL || elsewhere == NULL) return 2;
    make = (make_function *)dlsym(maker, "make");
    fill = (fill_function *)dlsym(maker, "fill");
    finish = (finish_function *)dlsym(user, "finish");
    end = (end_function *)dlsym(user, "end");
    make_elsewhere = (make_function *)dlsym(elsewhere, "make");
    fill_elsewhere = (fill_function *)dlsym(elsewhere, "fill");
    /* The test of the test: there are two copies of the strategies, with tables of their own. */
    CHECK(((copy_function *)dlsym(maker, "copy"))() != ((copy_function *)dlsym(elsewhere, "copy"))());
    each_kind();
    stacked();
    return REPORT();
}
