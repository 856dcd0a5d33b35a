#!/usr/bin/env node
// Register a Pushy token with an encrypted body. Node 18 or newer, and `npm ci` in this folder.

import { CompactEncrypt, importJWK } from "jose";

/** The wrapper of a body, made with the answer of POST /api/v1/sys/key-pair. */
async function encrypt(body, { kid, alg, enc, key }) {
  const sealed = new CompactEncrypt(new TextEncoder().encode(JSON.stringify(body)));
  sealed.setProtectedHeader({ alg, enc, kid });
  return { payload: await sealed.encrypt(await importJWK(key, alg)) };
}

/** The `data` of an answer. Add the retries of client.mjs where it matters. */
async function post(path, body) {
  const headers = { authorization: `Bearer ${process.env.FANFARE_USER_TOKEN}` };
  if (body) headers["content-type"] = "application/json";
  const url = process.env.FANFARE_URL.replace(/\/+$/, "") + "/api/v1" + path;
  const answer = await fetch(url, { method: "POST", headers, body: body && JSON.stringify(body) });
  const { message, data } = await answer.json();
  if (answer.ok) return data;
  console.error(`POST ${path}: ${answer.status} ${message}`);
  process.exit(1);
}

const keyPair = await post("/sys/key-pair"); // good until its `expires_at`: keep it that long, not longer
const device = { token: process.env.FANFARE_PUSHY_TOKEN, platform: "ANDROID", language: "en" };
console.log(JSON.stringify(await post("/device-info", await encrypt(device, keyPair))));
