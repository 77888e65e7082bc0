// Much work for the compiler: containers, algorithms, regex, variants, and recursive templates. Its object file is compared.
#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <int N> struct Chain { using previous = Chain<N - 1>; std::tuple<int, std::vector<typename previous::type>> value; using type = std::map<int, int>; int sum() const { return N + previous{}.sum(); } };
template <> struct Chain<0> { using type = std::map<int, int>; int sum() const { return 0; } };

template <class... T> std::size_t total(const std::variant<T...> &v) { return std::visit([](const auto &x) { return sizeof(x); }, v); }
template <std::size_t... I> auto table(std::index_sequence<I...>) { return std::vector<std::function<int(int)>>{[](int x) { return x * int(I); }...}; }

int use() {
    std::map<std::string, std::vector<std::variant<int, std::string, std::vector<double>>>> m;
    m["a"].push_back(std::string("x"));
    std::unordered_map<int, std::map<std::string, std::tuple<int, double, std::string>>> u;
    u[1]["b"] = {1, 2.0, "c"};
    std::regex r("([a-z]+)([0-9]*)(x|y|z)");
    std::vector<std::string> words{"abc1x", "def2y"};
    std::sort(words.begin(), words.end(), [&](const auto &a, const auto &b) { return std::regex_match(a, r) < std::regex_match(b, r); });
    auto functions = table(std::make_index_sequence<40>{});
    return Chain<80>{}.sum() + int(total(m["a"][0])) + functions[3](7) + int(u.size());
}
