// Read a store with zarrita. In a folder of its own, with a copy of this file:
// `npm install zarrita @zarrita/storage && node zarrita.mjs STORE`.
import FileSystemStore from "@zarrita/storage/fs";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import * as zarr from "zarrita";

const path = resolve(process.argv[2]);
const root = zarr.root(new FileSystemStore(path));
const folders = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
for (const name of folders.map((entry) => entry.name).sort()) {
  const array = await zarr.open.v3(root.resolve(name), { kind: "array" });
  const { data } = await zarr.get(array);
  const digest = createHash("sha256");
  if (array.dtype === "string") {
    for (const text of data) digest.update(`${text}\0`);
  } else if (array.dtype === "bool") {
    digest.update(Uint8Array.from(data, Number));
  } else {
    digest.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  console.log(name, digest.digest("hex").slice(0, 16), array.attrs.units ?? "-");
}
