import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext } from 'ava';
import { ConnectionError, DlClassifierClient, type TlsOptions } from '../client/index.js';
import { readSmall } from './support/client.js';
import { runDaemon, startDaemon } from './support/daemon.js';
import { dlc } from './support/dlc.js';

// Every test starts daemons: one at a time is quicker than all at once.
const test = anyTest.serial;

const fixture = (name: string) => fileURLToPath(new URL(`support/tls/${name}`, import.meta.url));
const CERTIFICATE = fixture('certificate.pem');
const KEY = fixture('key.pem');
const SERVER = ['--tls-certificate', CERTIFICATE, '--tls-key', KEY];
const rootCertificates = await readFile(CERTIFICATE);
const trusted: TlsOptions = { rootCertificates, serverName: 'classifier.test' };

async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dl-classifierd-tls-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A certificate for `name` and its key, in a folder. */
function makeCertificate(folder: string, name: string): { certificate: string; key: string } {
  const [certificate, key] = [join(folder, 'made.pem'), join(folder, 'made-key.pem')];
  const kind = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  execFileSync('openssl', [...kind, ...names, '-keyout', key, '-out', certificate], { stdio: ['ignore', 'ignore', 'pipe'] });
  return { certificate, key };
}

async function isRefused(t: ExecutionContext, address: string, tls: boolean | TlsOptions): Promise<void> {
  await t.throwsAsync(DlClassifierClient.connect(address, { tls, connectTimeoutMs: 700 }), { instanceOf: ConnectionError });
}

test('a client that trusts the certificate trains; one without TLS, or that does not trust it, is not served', async (t) => {
  const daemon = await startDaemon(SERVER);
  {
    await using client = await DlClassifierClient.connect(daemon.address, { tls: trusted });
    await using classifier = await readSmall(client);
    const data = new Uint8Array(4 * 16 * 16).fill(9);
    t.is((await classifier.trainBatch({ data, shape: [4, 16, 16, 1] }, [0, 1, 0, 1])).step, 1);
  }
  await isRefused(t, daemon.address, false);
  await isRefused(t, daemon.address, true);
  await isRefused(t, daemon.address, { rootCertificates });
  await daemon.stop();
});

test('dlc connects with TLS as the client library does', async (t) => {
  const daemon = await startDaemon([...SERVER, '--tls-client-ca', CERTIFICATE]);
  const own = ['--tls-certificate', CERTIFICATE, '--tls-key', KEY];
  const { exitCode, stdout, stderr } = await dlc(
    daemon.address,
    'info',
    '--tls-ca',
    CERTIFICATE,
    '--tls-server-name',
    'classifier.test',
    ...own,
  );
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /compact/);
  await daemon.stop();
  for (const [args, line] of [
    [['--tls-key', KEY], /^dlc: --tls-certificate and --tls-key go together\n$/],
    [['--tls-ca', 'absent.pem'], /^dlc: --tls-ca absent\.pem cannot be read: ENOENT/],
  ] as const) {
    const end = await dlc(daemon.address, 'info', ...args);
    t.is(end.exitCode, 1);
    t.regex(end.stderr, line);
  }
});

test('with --tls-client-ca only clients with a certificate of these authorities are served', async (t) => {
  const made = makeCertificate(await temporaryFolder(t), 'client.test');
  const daemon = await startDaemon([...SERVER, '--tls-client-ca', made.certificate]);
  const own = { certificateChain: await readFile(made.certificate), privateKey: await readFile(made.key) };
  const foreign = { certificateChain: rootCertificates, privateKey: await readFile(KEY) };
  {
    await using client = await DlClassifierClient.connect(daemon.address, { tls: { ...trusted, ...own } });
    t.is((await client.getServerInfo()).limits?.classifiers, 64);
  }
  await isRefused(t, daemon.address, trusted);
  await isRefused(t, daemon.address, { ...trusted, ...foreign });
  await daemon.stop();
});

test('SIGHUP reads a renewed certificate; connections stay; files that are of no use change nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  await copyFile(CERTIFICATE, certificate);
  await copyFile(KEY, key);
  const daemon = await startDaemon(['--tls-certificate', certificate, '--tls-key', key]);
  await using early = await DlClassifierClient.connect(daemon.address, { tls: trusted });

  await writeFile(certificate, 'damaged');
  const mark = daemon.stderr().length;
  daemon.process.kill('SIGHUP');
  await daemon.logged(({ msg }) => msg === 'the certificate stays as it was', mark);
  {
    await using client = await DlClassifierClient.connect(daemon.address, { tls: trusted });
    await client.getServerInfo();
  }
  const made = makeCertificate(folder, 'renewed.test');
  await copyFile(made.certificate, certificate);
  await copyFile(made.key, key);
  daemon.process.kill('SIGHUP');
  await daemon.logged(({ msg }) => msg === 'the certificate was read anew', mark);
  {
    const tls = { rootCertificates: await readFile(made.certificate), serverName: 'renewed.test' };
    await using client = await DlClassifierClient.connect(daemon.address, { tls });
    await client.getServerInfo();
  }
  await isRefused(t, daemon.address, trusted);
  await early.getServerInfo();
  early.close();
  await daemon.stop();
});

test('files with which no connection could be secured end the start with one line and exit code 2', async (t) => {
  const folder = await temporaryFolder(t);
  const text = join(folder, 'text.pem');
  await writeFile(text, 'no certificate');
  const made = makeCertificate(folder, 'other.test');
  const cases: readonly (readonly [flags: readonly string[], line: RegExp])[] = [
    [['--tls-certificate', CERTIFICATE], /--tls-certificate needs --tls-key$/],
    [['--tls-key', KEY], /--tls-key needs --tls-certificate$/],
    [['--tls-client-ca', CERTIFICATE], /--tls-client-ca needs --tls-certificate and --tls-key$/],
    [['--tls-certificate', join(folder, 'none.pem'), '--tls-key', KEY], /--tls-certificate .*none\.pem cannot be read: ENOENT/],
    [['--tls-certificate', text, '--tls-key', KEY], /--tls-certificate .*text\.pem is no certificate in PEM/],
    [['--tls-certificate', CERTIFICATE, '--tls-key', text], /--tls-key .*text\.pem is no private key in PEM without a passphrase/],
    [['--tls-certificate', CERTIFICATE, '--tls-key', made.key], /--tls-key .* is not the key of --tls-certificate/],
    [[...SERVER, '--tls-client-ca', text], /--tls-client-ca .*text\.pem is no certificate in PEM/],
    [[...SERVER, '--tls-client-ca', ''], /--tls-client-ca.*It must name a file/],
  ];
  for (const [flags, line] of cases) {
    const { exitCode, stdout, stderr } = await runDaemon(['--listen', '127.0.0.1:0', '--models', join(folder, 'models'), ...flags]);
    t.is(exitCode, 2, stderr);
    t.is(stdout, '');
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
    t.regex(stderr.trimEnd(), line);
  }
});

test('who can connect stands in the log', async (t) => {
  const warning = async (flags: readonly string[]) => {
    const daemon = await startDaemon(['--listen', '0.0.0.0:0', ...flags]);
    await daemon.stop();
    return daemon.stderr();
  };
  t.regex(await warning([]), /other machines can connect, without TLS and without a password/);
  t.regex(await warning(SERVER), /all machines can connect: --tls-client-ca lets in only those with a certificate/);
  t.notRegex(await warning([...SERVER, '--tls-client-ca', CERTIFICATE]), /can connect/);
});
