"""Deterministic work for CPython under PYTHONMALLOC=malloc: every object is one malloc. Prints digests."""
import ast, collections, decimal, hashlib, json, re, sys, threading, zlib

n = int(sys.argv[1])


def digest(name, value):
    print(name, hashlib.sha256(repr(value).encode()).hexdigest()[:16])


words = [f"word{i * 7919 % 100003}" for i in range(n)]
counts = collections.Counter(w[:6] for w in words)
digest("counter", sorted(counts.items())[:500])
digest("json", json.loads(json.dumps({w: [i, {"k": w * 3}] for i, w in enumerate(words)})))
digest("regex", [m.group(1) for w in words if (m := re.match(r"word(\d*7)$", w))])
digest("zlib", hashlib.sha256(zlib.decompress(zlib.compress("".join(words).encode()))).hexdigest())
digest("ast", ast.dump(ast.parse("\n".join(f"def f{i}(a, *b, c={i}): return a + {i} if b else [c for c in b]" for i in range(n // 20)))))
decimal.getcontext().prec = 200
digest("decimal", sum((decimal.Decimal(i) / 7 for i in range(n // 20)), decimal.Decimal(0)))
text = ""
for i in range(n):  # realloc, a few bytes at a time
    text += chr(97 + i % 26)
digest("string", text)
results = {}


def work(k):
    results[k] = hashlib.sha256(b"".join(bytes(str(i * k), "ascii") for i in range(n // 4))).hexdigest()


threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
digest("threads", sorted(results.items()))
