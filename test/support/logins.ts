/** Users, their passwords, and what clients send to prove who they are. */
import { hashSync } from 'bcryptjs';
import { get } from './client.ts';
import type { Answer, RequestOptions } from './client.ts';

/** As `htpasswd -B` writes them, but with the least work that there can be. */
export function htpasswdOf(users: Readonly<Record<string, string>>): string {
  return Object.entries(users)
    .map(([user, password]) => `${user}:${hashOf(password)}\n`)
    .join('');
}

export function hashOf(password: string): string {
  return hashSync(password, 4).replace('$2b$', '$2y$');
}

export function basic(user: string, password: string): { readonly Authorization: string } {
  return { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

export function bearer(token: string): { readonly Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}

export interface Challenge {
  readonly scheme: string;
  readonly [parameter: string]: string | undefined;
}

/** What WWW-Authenticate asks for. */
export function challengeOf(answer: Answer): Challenge | undefined {
  const header = answer.headers['www-authenticate'];
  if (header === undefined) return undefined;
  const parameters = [...header.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name = '', value = '']) => [
    name,
    value,
  ]);
  return { scheme: header.split(' ', 1)[0] ?? '', ...Object.fromEntries(parameters) };
}

export interface Token {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly issued_at: string;
  readonly scope: string;
  readonly refresh_token?: string;
}

/** Asks for a token as dockerd does: with GET, and a password where there is one. */
export async function askForToken(
  realm: string,
  parameters: readonly (readonly [string, string])[],
  headers: RequestOptions['headers'] = {},
): Promise<Answer> {
  const query = new URLSearchParams(parameters.map(([name, value]) => [name, value])).toString();
  return get(`${realm}?${query}`, { headers });
}

/** Asks for a token as containerd does: with POST, and what it has to show in the form. */
export async function postForToken(realm: string, form: Readonly<Record<string, string>>): Promise<Answer> {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  return get(realm, { method: 'POST', headers, body: Buffer.from(new URLSearchParams(form).toString()) });
}

export function tokenOf(answer: Answer): Token {
  return JSON.parse(answer.body.toString()) as Token;
}

/** Goes all the way a client goes: asks, is challenged, gets a token, asks again with it. */
export async function withToken(
  url: string,
  method: string,
  login: RequestOptions['headers'] = {},
): Promise<{ readonly refused: Answer; readonly answer: Answer }> {
  const refused = await get(url, { method });
  const { realm = '', scope = '', service = '' } = challengeOf(refused) ?? { scheme: '' };
  const scopes = scope.split(' ').map((each) => ['scope', each] as const);
  const { token } = tokenOf(await askForToken(realm, [['service', service], ...scopes], login));
  return { refused, answer: await get(url, { method, headers: bearer(token) }) };
}
