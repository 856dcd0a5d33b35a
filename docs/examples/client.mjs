#!/usr/bin/env node
// Send one push through Fanfare and wait for what becomes of it. Node 18 or newer.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const NAMES = ["URL", "APP_ID", "CLIENT_SECRET", "USER_ID", "USER_TOKEN"];
const TRIES_MAX = 6;
const WAIT_SECONDS_MAX = 60; // longer, e.g. until a daily quota is new, is for a job queue
const POLL_SECONDS_MAX = 120;
const env = process.env;

/** The answer of one call; repeated as it was while the service is busy or out of reach. */
async function call(method, path, { token, body, form, headers = {} } = {}) {
  const all = { accept: "application/json", ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  if (body) all["content-type"] = "application/json";
  const data = form ?? (body && JSON.stringify(body));
  const options = { method, headers: all, body: data, redirect: "error" };
  const url = new URL(env.FANFARE_URL.replace(/\/+$/, "") + path);
  for (let attempt = 1; ; attempt++) {
    let wait = 2 ** attempt;
    try {
      const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(30_000) });
      if (answer.ok) return await answer.json();
      const asked = answer.headers.get("retry-after"); // on 429 and 503; on 409: still at it
      if (/^\d+$/.test(asked)) wait = Number(asked);
      const isBusy = asked || [429, 503].includes(answer.status);
      if (!isBusy || attempt === TRIES_MAX || wait > WAIT_SECONDS_MAX)
        throw new Refused(`${method} ${path}: ${answer.status} ${await explain(answer)}`);
    } catch (error) {
      if (error instanceof Refused) throw error;
      // No connection, or it broke: whether the call arrived is unknown.
      const why = error.cause?.code ?? error.message;
      if (attempt === TRIES_MAX) throw new Refused(`${method} ${path}: ${why}`);
    }
    await sleep(wait * 1000);
  }
}

class Refused extends Error {}

/** What an error body says (RFC 9457; from /auth/token RFC 6749), on one line. */
async function explain(answer) {
  const problem = await answer.json().catch(() => null); // not from Fanfare: a proxy's page, say
  const text = problem?.detail ?? problem?.error_description ?? problem?.error;
  if (!text) return answer.statusText;
  const faults = (problem.errors ?? []).map((fault) => `${fault.pointer}: ${fault.detail}`);
  const traceId = problem.trace_id ?? answer.headers.get("x-request-id");
  return [text, ...faults, `trace_id ${traceId}`].join("; ");
}

async function main() {
  const missing = NAMES.map((name) => `FANFARE_${name}`).filter((name) => !env[name]);
  if (missing.length) throw new Refused(`missing: ${missing.join(", ")}`);
  const { FANFARE_APP_ID: app_id, FANFARE_USER_ID: user_id } = env;

  // In the app: its user's token, and the token that the phone's push service gave to it.
  const push_token = env.FANFARE_PUSH_TOKEN ?? "example-push-token";
  const device = { app_id, platform: "android", push_token };
  await call("POST", "/push/devices/register", { token: env.FANFARE_USER_TOKEN, body: device });

  // In your back end: a service token. It is good for `expires_in` seconds: keep it until then.
  const client = { client_id: app_id, client_secret: env.FANFARE_CLIENT_SECRET };
  const grant = { grant_type: "client_credentials", scope: "push:send" };
  const form = new URLSearchParams({ ...grant, ...client });
  const { access_token: token } = await call("POST", "/auth/token", { form });

  // One key for each thing that happened in your system, stored with it: a call that is repeated,
  // even after a crash, then pushes once (and says so: Idempotent-Replayed: true).
  const headers = { "idempotency-key": randomUUID() };
  const push = { user_id, title: "Your shift starts in 30 min", body: "Open to view it." };
  const sent = await call("POST", "/push/send", { token, body: push, headers });

  // Only to show it here: a back end gets signed receipts by webhook instead of asking.
  const deadline = Date.now() + POLL_SECONDS_MAX * 1000;
  let status;
  do {
    if (status) await sleep(1000);
    status = await call("GET", `/push/notifications/${sent.notification_id}`, { token });
  } while (["pending", "scheduled"].includes(status.status) && Date.now() < deadline);
  console.log(JSON.stringify(status, null, 2));
  return status.status === "sent" ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Refused ? error.message : error);
  process.exitCode = 1;
}
