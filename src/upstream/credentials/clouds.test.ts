import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { TempDir } from '../../../test/support/temp-dir.ts';
import type { Credential } from '../credentials.ts';
import { createCredentialSource } from '../credentials.ts';
import type { ProviderAnswer, ProviderHttp, ProviderRequest } from './provider-http.ts';

/** A cloud that answers by the beginning of the URL, and remembers what it was asked. */
function makeCloud(answers: Readonly<Record<string, object | string | number>>) {
  const asked: ProviderRequest[] = [];
  const http: ProviderHttp = {
    async ask(request): Promise<ProviderAnswer> {
      asked.push(request);
      const found = Object.entries(answers).find(([url]) => request.url.startsWith(url))?.[1];
      if (found === undefined) throw new Error(`nobody expected ${request.method} ${request.url}`);
      if (typeof found === 'number') return { status: found, text: '' };
      return { status: 200, text: typeof found === 'string' ? found : JSON.stringify(found) };
    },
  };
  return { http, asked };
}

function sourceOf(
  provider: 'ecr' | 'gcr' | 'acr',
  registry: string,
  http: ProviderHttp,
  environment: Readonly<Record<string, string>> = {},
  clock = new FakeClock(),
) {
  const credentials = { kind: 'provider', provider } as const;
  const source = createCredentialSource(credentials, { url: new URL(registry), clock, environment, http });
  assert.ok(source);
  return source;
}

function shown(credential: Credential | undefined): unknown {
  if (credential === undefined) return undefined;
  if (credential.kind !== 'password') return [credential.kind, credential.token.reveal()];
  return [credential.username, credential.password.reveal()];
}

const ecrToken = Buffer.from('AWS:pass:word').toString('base64');
const awsKeys = { AWS_ACCESS_KEY_ID: 'AKID', AWS_SECRET_ACCESS_KEY: 'SECRET' };
const ecrRegistry = 'https://123456789012.dkr.ecr.eu-west-1.amazonaws.com';

describe('Amazon ECR', () => {
  const answer = (expiresAt: number): object => ({
    authorizationData: [{ authorizationToken: ecrToken, expiresAt }],
  });

  test('gives a password for keys of the environment, for as long as it says', async () => {
    const clock = new FakeClock();
    const expiresAt = clock.now() / 1000 + 12 * 3600;
    const { http, asked } = makeCloud({ 'https://api.ecr.eu-west-1.amazonaws.com/': answer(expiresAt) });
    const source = sourceOf('ecr', ecrRegistry, http, awsKeys, clock);
    assert.deepEqual(shown(await source.get()), ['AWS', 'pass:word']);
    await source.get();
    await clock.advance(11.9 * 3_600_000);
    await source.get();
    assert.equal(asked.length, 1);
    await clock.advance(60_000 * 2);
    await source.get();
    assert.equal(asked.length, 2);
    assert.match(asked[0]?.headers['authorization'] ?? '', /Credential=AKID\/\d{8}\/eu-west-1\/ecr\/aws4_request/);
    assert.equal(asked[0]?.headers['x-amz-target'], 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken');
  });

  test('takes the role of an instance from its metadata', async () => {
    const keys = { AccessKeyId: 'ROLE', SecretAccessKey: 'S', Token: 'SESSION' };
    const metadata = 'http://169.254.169.254/latest';
    const { http, asked } = makeCloud({
      [`${metadata}/api/token`]: 'metadata-session',
      [`${metadata}/meta-data/iam/security-credentials/the-role`]: keys,
      [`${metadata}/meta-data/iam/security-credentials/`]: 'the-role\n',
      'https://api.ecr.eu-west-1.amazonaws.com/': answer(2_000_000_000),
    });
    assert.deepEqual(shown(await sourceOf('ecr', ecrRegistry, http).get()), ['AWS', 'pass:word']);
    assert.equal(asked[0]?.method, 'PUT');
    assert.equal(asked[2]?.headers['x-aws-ec2-metadata-token'], 'metadata-session');
    assert.equal(asked[3]?.headers['x-amz-security-token'], 'SESSION');
  });

  test('takes the role of a container from its endpoint', async () => {
    const keys = { AccessKeyId: 'TASK', SecretAccessKey: 'S', Token: 'T' };
    const { http, asked } = makeCloud({
      'http://169.254.170.2/v2/credentials/x': keys,
      'https://api.ecr.eu-west-1.amazonaws.com/': answer(2_000_000_000),
    });
    const environment = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/x' };
    await sourceOf('ecr', ecrRegistry, http, environment).get();
    assert.match(asked[1]?.headers['authorization'] ?? '', /Credential=TASK/);
  });

  test('takes a web identity, as on EKS', async () => {
    await using directory = await TempDir.make();
    await writeFile(directory.join('token'), 'web-token\n');
    const credentials = { AccessKeyId: 'WEB', SecretAccessKey: 'S', SessionToken: 'T' };
    const { http, asked } = makeCloud({
      'https://sts.eu-west-1.amazonaws.com/': {
        AssumeRoleWithWebIdentityResponse: { AssumeRoleWithWebIdentityResult: { Credentials: credentials } },
      },
      'https://api.ecr.eu-west-1.amazonaws.com/': answer(2_000_000_000),
    });
    const environment = { AWS_WEB_IDENTITY_TOKEN_FILE: directory.join('token'), AWS_ROLE_ARN: 'arn:aws:iam::1:role/r' };
    await sourceOf('ecr', ecrRegistry, http, environment).get();
    assert.equal(new URLSearchParams(asked[0]?.body).get('WebIdentityToken'), 'web-token');
    assert.match(asked[1]?.headers['authorization'] ?? '', /Credential=WEB/);
  });

  test('public is asked of its own service', async () => {
    const data = { authorizationToken: ecrToken, expiresAt: 2_000_000_000 };
    const { http, asked } = makeCloud({
      'https://api.ecr-public.us-east-1.amazonaws.com/': { authorizationData: data },
    });
    assert.deepEqual(shown(await sourceOf('ecr', 'https://public.ecr.aws', http, awsKeys).get()), ['AWS', 'pass:word']);
    assert.match(asked[0]?.headers['authorization'] ?? '', /\/ecr-public\/aws4_request/);
  });

  test('that refuses says so, without a secret, and is asked anew by the next', async () => {
    const { http, asked } = makeCloud({ 'https://api.ecr.eu-west-1.amazonaws.com/': 400 });
    const source = sourceOf('ecr', ecrRegistry, http, awsKeys);
    await assert.rejects(source.get(), { message: "Amazon ECR's API refused (400)" });
    await assert.rejects(source.get());
    assert.equal(asked.length, 2);
  });

  test('under a name that tells no region needs one', async () => {
    const { http } = makeCloud({});
    await assert.rejects(sourceOf('ecr', 'https://mirror.test', http, awsKeys).get(), /set AWS_REGION/);
  });
});

describe('Google', () => {
  test("gives a token of the machine's metadata", async () => {
    const clock = new FakeClock();
    const { http, asked } = makeCloud({
      'http://metadata.google.internal/': { access_token: 'ya29', expires_in: 3600, token_type: 'Bearer' },
    });
    const source = sourceOf('gcr', 'https://eu.gcr.io', http, {}, clock);
    assert.deepEqual(shown(await source.get()), ['oauth2accesstoken', 'ya29']);
    assert.equal(asked[0]?.headers['metadata-flavor'], 'Google');
    await clock.advance(3_299_000);
    await source.get();
    assert.equal(asked.length, 1);
    await clock.advance(2_000);
    await source.get();
    assert.equal(asked.length, 2);
  });

  test('gives a token for the key of a service account', async () => {
    await using directory = await TempDir.make();
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = {
      client_email: 'puller@project.test',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      token_uri: 'https://oauth2.googleapis.com/token',
    };
    await writeFile(directory.join('key.json'), JSON.stringify(key));
    const { http, asked } = makeCloud({ 'https://oauth2.googleapis.com/token': { access_token: 'ya30' } });
    const environment = { GOOGLE_APPLICATION_CREDENTIALS: directory.join('key.json') };
    const source = sourceOf('gcr', 'https://europe-docker.pkg.dev', http, environment);
    assert.deepEqual(shown(await source.get()), ['oauth2accesstoken', 'ya30']);
    const assertion = new URLSearchParams(asked[0]?.body).get('assertion') ?? '';
    const [header = '', payload = '', signature = ''] = assertion.split('.');
    assert.ok(verify('sha256', Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url')));
    const claims: { iss?: unknown; aud?: unknown } = Object(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    assert.deepEqual([claims.iss, claims.aud], ['puller@project.test', 'https://oauth2.googleapis.com/token']);
  });
});

describe('Azure', () => {
  const registry = 'https://team.azurecr.io';
  const exchange = 'https://team.azurecr.io/oauth2/exchange';

  test("exchanges the machine's identity for a refresh token", async () => {
    const clock = new FakeClock();
    const claims = Buffer.from(JSON.stringify({ exp: clock.now() / 1000 + 10_000 })).toString('base64url');
    const { http, asked } = makeCloud({
      'http://169.254.169.254/metadata/identity/oauth2/token': { access_token: 'aad' },
      [exchange]: { refresh_token: `h.${claims}.s` },
    });
    const source = sourceOf('acr', registry, http, {}, clock);
    assert.deepEqual(shown(await source.get()), ['refresh', `h.${claims}.s`]);
    assert.equal(asked[0]?.headers['metadata'], 'true');
    const form = new URLSearchParams(asked[1]?.body);
    assert.deepEqual([form.get('service'), form.get('access_token')], ['team.azurecr.io', 'aad']);
    await clock.advance(9_600_000);
    await source.get();
    assert.equal(asked.length, 2);
    await clock.advance(200_000);
    await source.get();
    assert.equal(asked.length, 4);
  });

  test('takes the secret of a client, or the token of a workload', async () => {
    await using directory = await TempDir.make();
    await writeFile(directory.join('token'), 'workload\n');
    const { http, asked } = makeCloud({
      'https://login.microsoftonline.com/tenant/oauth2/v2.0/token': { access_token: 'aad' },
      [exchange]: { refresh_token: 'r' },
    });
    const client = { AZURE_CLIENT_ID: 'client', AZURE_TENANT_ID: 'tenant' };
    await sourceOf('acr', registry, http, { ...client, AZURE_CLIENT_SECRET: 's3cret' }).get();
    await sourceOf('acr', registry, http, { ...client, AZURE_FEDERATED_TOKEN_FILE: directory.join('token') }).get();
    assert.equal(new URLSearchParams(asked[0]?.body).get('client_secret'), 's3cret');
    assert.equal(new URLSearchParams(asked[2]?.body).get('client_assertion'), 'workload');
  });
});

test('what was refused is asked for anew, but not again and again', async () => {
  const clock = new FakeClock();
  const { http, asked } = makeCloud({ 'http://metadata.google.internal/': { access_token: 'ya29', expires_in: 3600 } });
  const source = sourceOf('gcr', 'https://gcr.io', http, {}, clock);
  await Promise.all([source.get(), source.get()]);
  source.refused();
  await source.get();
  assert.equal(asked.length, 1);
  await clock.advance(10_000);
  source.refused();
  await source.get();
  assert.equal(asked.length, 2);
});
