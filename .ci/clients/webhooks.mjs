// The clients' test with the library of Standard Webhooks for JavaScript: it signs requests to a hook of a running evrun, and verifies those that evrun signs.
//
//	WEBHOOK_SECRET=whsec_… node webhooks.mjs unix:/path/of/evrun.sock
import assert from "node:assert/strict";
import http from "node:http";
import { Webhook } from "standardwebhooks";
import { ask, server } from "./evrun.mjs";

const at = server(process.argv[2]);
const ours = new Webhook(process.env.WEBHOOK_SECRET);
const another = new Webhook("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

// A receiver that refuses the first attempt.
const got = [];
const receiver = http.createServer(async (req, res) => {
  const parts = [];
  for await (const part of req) parts.push(part);
  got.push({ headers: req.headers, body: Buffer.concat(parts).toString() });
  res.writeHead(got.length === 1 ? 503 : 200).end();
  if (got.length === 2) receiver.close();
});
await new Promise((listening) => receiver.listen(0, "127.0.0.1", listening));

// send posts to the hook as a sender with the library does.
async function send(webhook, id, time, body) {
  const headers = {
    "content-type": "application/json", "webhook-id": id, "webhook-timestamp": String(Math.floor(time / 1000)), "webhook-signature": webhook.sign(id, new Date(time), body),
  };
  return ask(at, "POST", "/hooks/in", headers, body);
}

const body = JSON.stringify({ url: `http://127.0.0.1:${receiver.address().port}/`, text: 'Ada <"Ü€😀">' });
for (const [webhook, time] of [[another, Date.now()], [ours, Date.now() - 6 * 60_000], [ours, Date.now() + 6 * 60_000]]) {
  const { status, body: answer } = await send(webhook, "msg_1", time, body);
  assert.equal(status, 401, answer);
}
for (const duplicate of [false, true]) {
  const { status, body: answer } = await send(ours, "msg_1", Date.now(), body);
  assert.equal(status, duplicate ? 200 : 202, answer);
  assert.equal(JSON.parse(answer).id, "msg_1");
}

await new Promise((closed) => receiver.on("close", closed));
for (const { headers, body: text } of got) {
  assert.deepEqual(ours.verify(text, headers), JSON.parse(body));
  assert.throws(() => ours.verify(`${text} `, headers));
  assert.throws(() => another.verify(text, headers));
  assert.equal(headers["webhook-id"], got[0].headers["webhook-id"]);
}
console.log(`a hook took one request that was signed by the library, and its delivery was verified by it at each of ${got.length} attempts`);
