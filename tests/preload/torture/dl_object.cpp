// One of the libraries that dlopen_storm loads: C++ statics and a thread_local object with a destructor.
#include <map>
#include <string>
#include <vector>

static std::map<int, std::string> names{{1, std::string(100, 'a')}, {2, std::string(1000, 'b')}};
static thread_local std::vector<std::string> words;

extern "C" int touch() {
    for (int i = 0; i < 30; i++) words.push_back(std::string(static_cast<size_t>(20 + i * 10), 'w'));
    return names[2].size() == 1000 && words.size() >= 30 && words.back()[5] == 'w' ? 0 : 1;
}
