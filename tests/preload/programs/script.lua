-- Tables that grow, string building, coroutines, garbage collection. Prints sums.
local n = tonumber(arg[1])
local h, list = {}, {}
for i = 1, n do local w = 'w' .. (i * 7919 % 100003); h[w] = (h[w] or '') .. i; list[#list + 1] = w end
local count, bytes = 0, 0
for _, v in pairs(h) do count = count + 1; bytes = bytes + #v end
print(count, bytes)
table.sort(list); print(list[1], list[#list])
local parts = {}
for i = 1, n do parts[#parts + 1] = string.char(97 + i % 26) end
local text = table.concat(parts)
print(#text, (select(2, text:gsub('[aeiou]', '<%0>'))), #text:rep(20))
local sum = 0
for i = 1, n // 20 do local co = coroutine.wrap(function(a) local b = coroutine.yield(a * 2); return b .. 'x' end); sum = sum + co(i) + #co('abc') end
print(sum)
for _ = 1, 5 do collectgarbage() end
local tree; for i = 1, n do tree = { tree, i } end
local d = 0; while tree do d = d + tree[2]; tree = tree[1] end; print(d)
