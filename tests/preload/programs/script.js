// Buffers, compression, crypto, worker threads, JSON. Prints digests.
const { createHash } = require('crypto'), zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const n = Number(process.argv[2] || workerData.n);
const digest = (x) => createHash('sha256').update(x).digest('hex').slice(0, 16);
const work = (k) => digest(Array.from({ length: n }, (_, i) => Buffer.from('b' + i * k).toString('base64')).join());
if (!isMainThread) parentPort.postMessage([workerData.k, work(workerData.k)]);
else {
  const map = new Map();
  for (let i = 0; i < n; i++) map.set('w' + ((i * 7919) % 10007), (map.get('w' + ((i * 7919) % 10007)) || '') + i);
  console.log('map', map.size, digest(JSON.stringify([...map])));
  const buffers = Array.from({ length: 200 }, (_, i) => Buffer.alloc(1000 * (i + 1), i));
  console.log('gzip', digest(zlib.gunzipSync(zlib.gzipSync(Buffer.concat(buffers)))));
  console.log('brotli', digest(zlib.brotliDecompressSync(zlib.brotliCompressSync(Buffer.concat(buffers.slice(0, 60)), { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }))));
  console.log('typed', digest(Buffer.from(new Float64Array(n).map((_, i) => Math.sqrt(i)).sort().buffer)));
  const workers = [1, 2, 3, 4].map((k) => new Promise((done) => new Worker(__filename, { workerData: { n, k } }).on('message', done)));
  Promise.all(workers).then((all) => console.log('workers', JSON.stringify(all.sort((a, b) => a[0] - b[0]))));
}
