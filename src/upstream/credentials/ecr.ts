import { Secret } from '../../config/secret.ts';
import type { CredentialSource, CredentialSurroundings } from '../credentials.ts';
import { awsKeys } from './aws-keys.ts';
import { jsonOf } from './provider-http.ts';
import { Remembered, usableMs } from './remembered.ts';
import type { Lent } from './remembered.ts';
import { signedHeaders } from './sigv4.ts';

/** A token lives for twelve hours; this is for an answer that does not say. In milliseconds. */
const lifeMsDefault = 3_600_000;
const whom = "Amazon ECR's API";

/**
 * Amazon ECR: AWS keys for a user name and a password
 * (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html).
 */
export function ecrCredentials(surroundings: CredentialSurroundings): CredentialSource {
  return new Remembered(surroundings.clock, () => lend(surroundings));
}

async function lend(surroundings: CredentialSurroundings): Promise<Lent> {
  const { clock, http, environment, url: registry } = surroundings;
  const place = placeOf(registry.hostname, environment);
  const keys = await awsKeys(surroundings, place.region);
  const url = new URL(environment['AWS_ENDPOINT_URL_ECR'] ?? environment['AWS_ENDPOINT_URL'] ?? place.url);
  const body = '{}';
  const headers = signedHeaders(
    {
      url,
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': place.target },
      body,
      region: place.region,
      service: place.service,
      nowMs: clock.now(),
    },
    keys,
  );
  const answer = jsonOf(await http.ask({ method: 'POST', url: url.href, headers, body, whom }), whom);
  const [data] = [answer['authorizationData']].flat();
  const { authorizationToken, expiresAt }: { authorizationToken?: unknown; expiresAt?: unknown } = Object(data);
  const decoded = Buffer.from(typeof authorizationToken === 'string' ? authorizationToken : '', 'base64').toString();
  const [username = '', ...password] = decoded.split(':');
  if (username === '' || password.length === 0) throw new Error(`${whom} answered without a token`);
  const lifeMs = typeof expiresAt === 'number' ? expiresAt * 1000 - clock.now() : lifeMsDefault;
  return {
    credential: { kind: 'password', username, password: new Secret(password.join(':')) },
    forMs: usableMs(lifeMs),
  };
}

interface Place {
  readonly region: string;
  readonly service: string;
  readonly target: string;
  readonly url: string;
}

/** `123456789012.dkr.ecr.eu-west-1.amazonaws.com`, with `-fips`, in China, and `public.ecr.aws`. */
function placeOf(host: string, environment: CredentialSurroundings['environment']): Place {
  if (host === 'public.ecr.aws') {
    const region = 'us-east-1';
    const target = 'SpencerFrontendService.GetAuthorizationToken';
    return { region, service: 'ecr-public', target, url: `https://api.ecr-public.${region}.amazonaws.com/` };
  }
  const match = /^\d+\.dkr\.ecr(-fips)?\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/.exec(host);
  const region = match?.[2] ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'];
  if (region === undefined) throw new Error(`${host} does not tell its AWS region; set AWS_REGION`);
  const name = match?.[1] === undefined ? 'api.ecr' : 'ecr-fips';
  const target = 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken';
  return { region, service: 'ecr', target, url: `https://${name}.${region}.amazonaws.com${match?.[3] ?? ''}/` };
}
