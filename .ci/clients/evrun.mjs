// What the clients' tests share: requests to a running evrun, on its unix socket or over TCP with the token in EVRUN_TOKEN.
import http from "node:http";

// server reads the address: unix:/path/of/evrun.sock, or http://127.0.0.1:7770.
export function server(address) {
  if (address.startsWith("unix:")) return { base: "http://evrun", options: { socketPath: address.slice("unix:".length) } };
  return { base: address, options: {} };
}

// begin sends a request and returns the answer once its headers have come.
export function begin({ base, options }, method, path, headers = {}, body = undefined) {
  const token = process.env.EVRUN_TOKEN;
  if (token) headers = { ...headers, authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const req = http.request(base + path, { method, headers, ...options }, resolve);
    req.on("error", reject);
    req.end(body);
  });
}

// ask sends a request and returns the status, the headers and the text of the answer.
export async function ask(at, method, path, headers, body) {
  const res = await begin(at, method, path, headers, body);
  const parts = [];
  for await (const part of res) parts.push(part);
  return { status: res.statusCode, headers: res.headers, body: Buffer.concat(parts).toString() };
}

// eventsOf gives the data of each server-sent "event" of an answer.
export async function* eventsOf(res) {
  let text = "";
  for await (const part of res.setEncoding("utf8")) {
    text += part;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const lines = text.slice(0, end).split("\n");
      const data = lines.find((line) => line.startsWith("data: "));
      if (lines.includes("event: event") && data) yield data.slice("data: ".length);
    }
  }
}
