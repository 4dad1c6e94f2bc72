// The pipeline as the specification spells it out, with the real client of Azure: dump into a file, tar and gzip the
// uploads, tar and gzip both again, encrypt, hash, upload. Prints how many bytes are stored.
//
// Environment: PGHOST and so on, UPLOADS, TMPDIR, AZURE_STORAGE_CONNECTION_STRING
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BlobServiceClient } from '@azure/storage-blob';

const { UPLOADS, TMPDIR, AZURE_STORAGE_CONNECTION_STRING } = process.env;
const file = (name) => path.join(TMPDIR, name);

const run = (program, ...args) =>
  new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', fail);
    child.on('close', (code) => (code === 0 ? done() : fail(new Error(`${program}: exit code ${code}`))));
  });

await run('pg_dump', '--format=custom', '--compress=9', '-f', file('database.dump'));
await run('tar', '-czf', file('uploads.tar.gz'), '-C', path.dirname(UPLOADS), path.basename(UPLOADS));
await run('tar', '-czf', file('bundle.tar.gz'), '-C', TMPDIR, 'database.dump', 'uploads.tar.gz');

const [salt, iv] = [crypto.randomBytes(16), crypto.randomBytes(16)];
const key = crypto.scryptSync('a passphrase', salt, 32, { N: 16384, r: 8, p: 1 });
const encrypted = fs.createWriteStream(file('bundle.enc'));
encrypted.write(Buffer.concat([salt, iv]));
const cipher = crypto.createCipheriv('aes-256-cbc', key, iv);
await pipeline(fs.createReadStream(file('bundle.tar.gz')), cipher, encrypted);

const hash = crypto.createHash('sha256');
await pipeline(fs.createReadStream(file('bundle.enc')), hash);

const container = BlobServiceClient.fromConnectionString(AZURE_STORAGE_CONNECTION_STRING).getContainerClient('backups');
await container.createIfNotExists();
const block = 4 << 20;
const content = fs.createReadStream(file('bundle.enc'), { highWaterMark: block });
await container
  .getBlockBlobClient('bundle.enc')
  .uploadStream(content, block, 20, { metadata: { sha256: hash.digest('hex') } });
console.log(fs.statSync(file('bundle.enc')).size);
