import { readFile } from 'node:fs/promises';
import { Secret } from '../../config/secret.ts';
import type { CredentialSurroundings } from '../credentials.ts';
import { jsonOf, textIn } from './provider-http.ts';
import type { AwsKeys } from './sigv4.ts';

type Around = Pick<CredentialSurroundings, 'environment' | 'http'>;

/**
 * AWS keys from where AWS's own programs look: the environment, a web identity (EKS), the container's endpoint (ECS, EKS
 * Pod Identity), the instance's metadata. Profiles in files are left to the helper `ecr-login`.
 * @throws Error when there are none, or a service refused
 */
export async function awsKeys(around: Around, region: string): Promise<AwsKeys> {
  const { environment } = around;
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'];
  const secret = environment['AWS_SECRET_ACCESS_KEY'];
  if (accessKeyId && secret) {
    const session = environment['AWS_SESSION_TOKEN'];
    return {
      accessKeyId,
      secretAccessKey: new Secret(secret),
      sessionToken: session ? new Secret(session) : undefined,
    };
  }
  const tokenFile = environment['AWS_WEB_IDENTITY_TOKEN_FILE'];
  const role = environment['AWS_ROLE_ARN'];
  if (tokenFile && role) return await webIdentityKeys(around, region, await readFile(tokenFile, 'utf8'), role);
  const container = containerUrl(environment);
  return container === undefined ? await instanceKeys(around) : await containerKeys(around, container);
}

async function webIdentityKeys(
  { environment, http }: Around,
  region: string,
  token: string,
  role: string,
): Promise<AwsKeys> {
  const whom = "AWS's token service";
  const form = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: environment['AWS_ROLE_SESSION_NAME'] ?? 'entrepot',
    WebIdentityToken: token.trim(),
  });
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const answer = await http.ask({
    method: 'POST',
    url: environment['AWS_ENDPOINT_URL_STS'] ?? `https://sts.${region}.${suffix}/`,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: form.toString(),
    whom,
  });
  const response = member(jsonOf(answer, whom), 'AssumeRoleWithWebIdentityResponse');
  return keysIn(member(member(response, 'AssumeRoleWithWebIdentityResult'), 'Credentials'), whom, 'SessionToken');
}

function containerUrl(environment: Around['environment']): string | undefined {
  const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  return relative ? `http://169.254.170.2${relative}` : environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
}

async function containerKeys({ environment, http }: Around, url: string): Promise<AwsKeys> {
  const whom = "AWS's container credentials";
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const token = file ? (await readFile(file, 'utf8')).trim() : environment['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  const headers = token ? { authorization: token } : {};
  return keysIn(jsonOf(await http.ask({ method: 'GET', url, headers, whom }), whom), whom, 'Token');
}

/** Version 2 of the metadata service: a session token first. */
async function instanceKeys({ environment, http }: Around): Promise<AwsKeys> {
  const whom = "AWS's metadata service";
  const base = environment['AWS_EC2_METADATA_SERVICE_ENDPOINT']?.replace(/\/$/, '') ?? 'http://169.254.169.254';
  const ask = async (method: 'GET' | 'PUT', path: string, headers: Record<string, string>): Promise<string> => {
    const { status, text } = await http.ask({ method, url: base + path, headers, whom });
    if (status !== 200)
      throw new Error(`${whom} refused (${status}); give the instance a role, or set AWS_ACCESS_KEY_ID`);
    return text.trim();
  };
  const session = await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': '60' });
  const proof = { 'x-aws-ec2-metadata-token': session };
  const path = '/latest/meta-data/iam/security-credentials/';
  const role = (await ask('GET', path, proof)).split('\n', 1)[0] ?? '';
  return keysIn(jsonOf({ status: 200, text: await ask('GET', path + role, proof) }, whom), whom, 'Token');
}

function keysIn(fields: Readonly<Record<string, unknown>>, whom: string, sessionField: string): AwsKeys {
  return {
    accessKeyId: textIn(fields, 'AccessKeyId', whom),
    secretAccessKey: new Secret(textIn(fields, 'SecretAccessKey', whom)),
    sessionToken: new Secret(textIn(fields, sessionField, whom)),
  };
}

function member(fields: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const value = fields[name];
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}
