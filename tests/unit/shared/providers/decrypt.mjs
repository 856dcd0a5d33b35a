// A browser's half of RFC 8291 on node:crypto alone. One case of JSON a line in: the browser's
// private scalar, its point, its secret and a body, in base64url; the plaintext a line out.
import { createDecipheriv, createECDH, hkdfSync } from "node:crypto";
import { createInterface } from "node:readline";

const HEADER = 86; // salt 16, record size 4, id length 1, key id 65
const TAG = 16;
const bytes = (text) => Buffer.from(text, "base64url");
const hkdf = (salt, secret, info, length) =>
  Buffer.from(hkdfSync("sha256", secret, salt, Buffer.concat(info), length));

function decrypt({ scalar, point, auth, body }) {
  const message = bytes(body);
  const [salt, sender] = [message.subarray(0, 16), message.subarray(21, HEADER)];
  const record = message.subarray(HEADER);
  if (message[20] !== 65) throw new Error("the key id is no point");
  if (record.length > message.readUInt32BE(16)) throw new Error("more than one record");

  const browser = createECDH("prime256v1");
  browser.setPrivateKey(bytes(scalar));
  const info = [Buffer.from("WebPush: info\0"), bytes(point), sender];
  const secret = hkdf(bytes(auth), browser.computeSecret(sender), info, 32);
  const key = hkdf(salt, secret, [Buffer.from("Content-Encoding: aes128gcm\0")], 16);
  const nonce = hkdf(salt, secret, [Buffer.from("Content-Encoding: nonce\0")], 12);

  const cipher = createDecipheriv("aes-128-gcm", key, nonce);
  cipher.setAuthTag(record.subarray(-TAG));
  const padded = Buffer.concat([cipher.update(record.subarray(0, -TAG)), cipher.final()]);
  const end = padded.findLastIndex((byte) => byte !== 0);
  if (padded[end] !== 2) throw new Error("no delimiter of a last record");
  return padded.subarray(0, end).toString("base64url");
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(decrypt(JSON.parse(line)));
}
