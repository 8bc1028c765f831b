// The dashboard's own stream (cmd/web/static/lib/stream.js): it follows GET /v1/stream while evrun is killed again and again, and prints the seq of each event.
//
//	node dashboard.mjs unix:/path/of/evrun.sock 'type=a.b'
//
// It prints and ends as stream.mjs does.
import { Readable } from "node:stream";
import { follow } from "../../cmd/web/static/lib/stream.js";
import { begin, server } from "./evrun.mjs";

const at = server(process.argv[2]);

// fetch is what a browser has, for a unix socket.
async function fetch(url, { headers, signal }) {
  const res = await begin(at, "GET", url, headers);
  signal.addEventListener("abort", () => res.destroy());
  return { status: res.statusCode, headers: new Headers(), body: Readable.toWeb(res), json: async () => ({}) };
}

let opened = 0;
const stream = follow({
  params: Object.fromEntries(new URLSearchParams(process.argv[3])),
  environment: { fetch },
  open: () => console.log(`open ${++opened}`),
  event: (e) => {
    if (e.seq !== stream.position()) fail(`event ${e.seq} has the id ${stream.position()}`);
    if (e.type !== "z.end") return console.log(`event ${e.seq}`);
    stream.close();
    console.log("end");
    process.exit(0);
  },
  gap: (gap) => fail(`gap: ${gap.reason}`),
  failed: (failed) => fail(`failed: ${failed.failure}`),
  state: ({ name, status, detail }) => name === "ended" && fail(`${status} ${detail}`),
});

function fail(text) {
  console.error(text);
  process.exit(1);
}
