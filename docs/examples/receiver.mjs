#!/usr/bin/env node
// Take Fanfare's receipts: verified, in order, each once, with the gaps filled by pulling.
// Node 18 or newer, and `npm ci` in this folder. Prints one receipt a line.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const NAMES = ["URL", "APP_ID", "CLIENT_SECRET", "WEBHOOK_SECRET", "RECEIVER_PORT", "RECEIVER_STATE"];
const [URL_, APP_ID, CLIENT_SECRET, SECRET, PORT, STATE] = NAMES.map((n) => process.env[`FANFARE_${n}`]);
const webhook = new Webhook(SECRET);
const waiting = new Map(); // receipts behind a gap, by number
let last = existsSync(STATE) ? Number(readFileSync(STATE, "utf8")) : 0; // handled up to here

/** Your part. A crash between here and `keep` repeats it, so let its `id` make it harmless. */
function handle(receipt) {
  console.log(JSON.stringify(receipt));
}

function keep(number) {
  last = number;
  writeFileSync(`${STATE}.new`, String(number));
  renameSync(`${STATE}.new`, STATE);
}

/** Handle what follows on what was handled; whether a gap is left. */
function take(receipts) {
  for (const receipt of receipts) if (receipt.seq > last) waiting.set(receipt.seq, receipt);
  for (let next; (next = waiting.get(last + 1)); waiting.delete(last)) {
    handle(next);
    keep(last + 1);
  }
  return waiting.size > 0;
}

/** Fetch everything behind the last receipt that was handled. */
async function pull() {
  const grant = { grant_type: "client_credentials", client_id: APP_ID, client_secret: CLIENT_SECRET };
  const body = new URLSearchParams(grant);
  const { access_token } = await call("/auth/token", { method: "POST", body });
  const headers = { authorization: `Bearer ${access_token}` };
  let page = { has_more: true, next_after: last };
  while (page.has_more) {
    page = await call(`/push/receipts?limit=1000&after=${page.next_after}`, { headers });
    if (page.oldest_seq > last + 1) { // older than 7 days: nobody has them any more
      console.error(`lost: ${last + 1} to ${page.oldest_seq - 1}`);
      for (const [number, receipt] of waiting)
        if (number < page.oldest_seq && waiting.delete(number)) handle(receipt);
      keep(page.oldest_seq - 1);
    }
    take(page.receipts);
  }
}

async function call(path, options) {
  const answer = await fetch(URL_.replace(/\/+$/, "") + path, options);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

/** The status that a call is answered with. */
async function receive(body, headers) {
  let event;
  try {
    event = webhook.verify(body, headers);
  } catch {
    return 400;
  }
  if (event.type === "push.receipts" && take(event.data.receipts)) await pull();
  return 204;
}

let turn = pull(); // what came while we were away; then one call after the other
const server = createServer(async (request, response) => {
  const parts = [];
  try {
    for await (const part of request) parts.push(part);
  } catch {
    return; // it hung up
  }
  const body = Buffer.concat(parts).toString();
  turn = turn.then(() => receive(body, request.headers)).catch(() => 503); // 503: it comes again
  response.writeHead(await turn).end();
});
turn.then(() => server.listen(Number(PORT), "127.0.0.1"));
