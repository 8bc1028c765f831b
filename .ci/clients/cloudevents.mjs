// The clients' test with the CloudEvents SDK for JavaScript: it sends events in every mode of the HTTP binding to a running evrun and reads them back.
//
//	node cloudevents.mjs unix:/path/of/evrun.sock
//	EVRUN_TOKEN=evr_… node cloudevents.mjs http://127.0.0.1:7770
import assert from "node:assert/strict";
import { CloudEvent, HTTP, Mode, emitterFor } from "cloudevents";
import { ask, begin, eventsOf, server } from "./evrun.mjs";

const at = server(process.argv[2]);
const source = "/sdk/js";

// events are those that each mode sends.
function events(mode) {
  const event = (id, attributes) => new CloudEvent({ id: `${mode}-${id}`, source, type: "sdk.sent", ...attributes });
  return [
    event("json", {
      time: "2026-12-24T18:00:00.123Z", subject: "orders/1", dataschema: "https://example.com/schema.json", text: "a b",
      datacontenttype: "application/json", data: { name: 'Ada <"Ü€😀">', list: [1, null] },
    }),
    event("charset", { datacontenttype: "application/json; charset=utf-8", data: { a: "ü" } }),
    event("none", {}),
    event("text", { datacontenttype: "text/plain", data: "hello 100%" }),
    event("bytes", { datacontenttype: "application/octet-stream", data: new Uint8Array([0, 255, 254, 10, 1]) }),
    event("percent", { subject: "100% of it, 5 %" }), // the SDK doesn't encode the values of headers
    event("numbers", { number: 42, yes: true }),
  ];
}

// same compares a read event with the sent one. evrun adds extensions of its own.
function same(got, want, mode) {
  assert.ok(got.validate());
  for (const name of ["id", "source", "type", "subject", "dataschema", "specversion", "text"]) assert.equal(got[name], want[name], `${want.id}: ${name}`);
  for (const name of ["number", "yes"]) {
    if (want[name] !== undefined) assert.equal(got[name], mode === "binary" ? String(want[name]) : want[name], `${want.id}: ${name}`); // headers have no types
  }
  if (want.id.endsWith("-json")) assert.equal(got.time, want.time);
  if (want.data instanceof Uint8Array) return assert.deepEqual([...got.data], [...want.data], want.id);
  assert.deepEqual(got.data, want.data, want.id);
}

// toEvents reads an answer with the SDK.
const toEvents = (headers, body) => [HTTP.toEvent({ headers, body })].flat();
const structured = { "content-type": "application/cloudevents+json" };

async function list(accept, limit) {
  const { status, headers, body } = await ask(at, "GET", `/v1/events?limit=${limit}`, accept ? { accept } : {});
  assert.equal(status, 200, body);
  return { headers, body };
}

const stream = eventsOf(await begin(at, "GET", "/v1/stream?type=sdk.sent"));
const post = async ({ headers, body }, expected) => {
  const answer = await ask(at, "POST", "/v1/events", headers, body);
  assert.equal(answer.status, expected, answer.body);
  return JSON.parse(answer.body);
};
const senders = {
  binary: (evs, expected) => Promise.all(evs.map((e) => emitterFor((m) => post(m, expected), { mode: Mode.BINARY })(e))),
  structured: (evs, expected) => Promise.all(evs.map((e) => emitterFor((m) => post(m, expected), { mode: Mode.STRUCTURED })(e))),
  batch: (evs, expected) => post({ headers: { "content-type": "application/cloudevents-batch+json" }, body: JSON.stringify(evs) }, expected),
};

let count = 0;
for (const [mode, send] of Object.entries(senders)) {
  const sent = events(mode);
  const receipts = await send(sent, 202);
  assert.deepEqual(receipts.map((r) => r.id), sent.map((e) => e.id));
  const again = await send(sent, 200);
  assert.deepEqual(again.map((r) => r.seq), receipts.map((r) => r.seq), "a duplicate has the seq of the first");
  const byID = new Map(sent.map((e) => [e.id, e]));
  const all = (evs, of) => {
    assert.equal(evs.length, sent.length, of);
    for (const e of evs) same(e, byID.get(e.id), mode);
  };

  const single = await Promise.all(sent.map(async (e) => {
    const { status, headers, body } = await ask(at, "GET", `/v1/events/${e.id}?exact=true`);
    assert.equal(status, 200, body);
    return toEvents(headers, body);
  }));
  all(single.flat(), "GET /v1/events/ID");
  const batch = await list("application/cloudevents-batch+json", sent.length);
  all(toEvents(batch.headers, batch.body), "a batch");
  const object = JSON.parse((await list("", sent.length)).body).events;
  all(object.flatMap((e) => toEvents(structured, JSON.stringify(e))), "an object");
  const lines = (await list("application/x-ndjson", sent.length)).body.trimEnd().split("\n");
  all(lines.flatMap((text) => toEvents(structured, text)), "lines");
  const followed = [];
  while (followed.length < sent.length) followed.push(...toEvents(structured, (await stream.next()).value));
  all(followed, "the stream");
  count += sent.length;
}
console.log(`the CloudEvents SDK for JavaScript has sent and read ${count} events`);
process.exit(0); // the stream is open
