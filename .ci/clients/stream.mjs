// The clients' test with npm's EventSource: it follows GET /v1/stream while evrun is killed again and again, and prints the seq of each event.
//
//	node stream.mjs unix:/path/of/evrun.sock 'type=a.b'
//	EVRUN_TOKEN=evr_… node stream.mjs http://127.0.0.1:7770 'type=a.b'
//
// It ends with the event of the type z.end. A gap, or a failed block, is an error: what the filter selects comes exactly once, and in order.
import { Readable } from "node:stream";
import { EventSource } from "eventsource";
import { begin, server } from "./evrun.mjs";

const at = server(process.argv[2]);

// fetch is what EventSource asks with. A custom one can add the header with the token, and use a unix socket.
async function fetch(url, { headers, signal }) {
  const res = await begin(at, "GET", url.pathname + url.search, headers);
  signal?.addEventListener("abort", () => res.destroy());
  return {
    status: res.statusCode, url: url.href, redirected: false, headers: { get: (name) => res.headers[name.toLowerCase()] ?? null },
    body: Readable.toWeb(res),
  };
}

let opened = 0;
const events = new EventSource(`${at.base}/v1/stream?${process.argv[3]}`, { fetch: (url, init) => fetch(new URL(url), init) });
events.addEventListener("open", () => console.log(`open ${++opened}`));
events.addEventListener("event", (e) => {
  const event = JSON.parse(e.data);
  if (event.seq !== e.lastEventId) fail(`event ${event.seq} has the id ${e.lastEventId}`);
  if (event.type !== "z.end") return console.log(`event ${event.seq}`);
  events.close();
  console.log("end");
  process.exit(0);
});
events.addEventListener("head", (e) => {
  if (JSON.parse(e.data).seq !== e.lastEventId) fail(`head ${e.data} has the id ${e.lastEventId}`);
});
for (const kind of ["gap", "failed"]) events.addEventListener(kind, (e) => fail(`${kind}: ${e.data}`));
events.addEventListener("error", (e) => {
  if (e.code) fail(`${e.code} ${e.message}`); // an EventSource gives up then; a broken connection has no code
});

function fail(text) {
  console.error(text);
  process.exit(1);
}
