/**
 * A certificate authority for one test run. X.509 is written out by hand: Node signs but does not issue, and a test must
 * not need a tool that the machine may lack.
 */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

export interface ServerCertificate {
  /** PEM */
  readonly cert: string;
  /** PEM */
  readonly key: string;
}

export interface Authority {
  /** The certificate to trust, PEM. */
  readonly ca: string;
  /** Its key, PEM. */
  readonly key: string;
  /** A certificate for these DNS names and IPv4 addresses; a server's, with a key on P-256, unless something else is said. */
  issue(names: readonly string[], purpose?: 'server' | 'client', pair?: KeyPair): ServerCertificate;
  /** One that this one vouches for. */
  subordinate(name: string, pair?: KeyPair): Authority;
}

/** A new authority that nobody trusts yet, with a key on P-256 unless another is given. */
export function makeAuthority(name = 'Test authority', pair: KeyPair = newPair()): Authority {
  return authority(name, pair, authorityCertificate(name, name, pair.publicKey, pair.privateKey));
}

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function newPair(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function authority(name: string, { privateKey, publicKey }: KeyPair, ca: string): Authority {
  const issue = (subject: string, key: KeyObject, extensions: Buffer[]): string =>
    certificate(name, subject, key, extensions, privateKey);
  return {
    ca,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    subordinate(its, pair = newPair()) {
      return authority(its, pair, authorityCertificate(name, its, pair.publicKey, privateKey));
    },
    issue(names, purpose = 'server', pair = newPair()) {
      const cert = issue(names[0] ?? 'nobody', pair.publicKey, [
        extension(OID.subjectAltName, sequence(...names.map(generalName))),
        extension(OID.extendedKeyUsage, sequence(purpose === 'server' ? OID.serverAuth : OID.clientAuth)),
        extension(OID.authorityKeyIdentifier, sequence(tlv(0x80, keyIdentifier(publicKey)))),
      ]);
      return { cert, key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) };
    },
  };
}

function authorityCertificate(issuer: string, name: string, key: KeyObject, signer: KeyObject): string {
  const extensions = [
    extension(OID.basicConstraints, sequence(BOOLEAN_TRUE)),
    extension(OID.keyUsage, tlv(0x03, Buffer.from([1, 0b0000_0110]))),
    extension(OID.subjectKeyIdentifier, tlv(0x04, keyIdentifier(key))),
  ];
  return certificate(issuer, name, key, extensions, signer);
}

let shared: Authority | undefined;

/** The authority of this process, for every upstream that needs no other. */
export function testAuthority(): Authority {
  shared ??= makeAuthority();
  return shared;
}

/** RFC 5280, section 4.1. */
function certificate(issuer: string, subject: string, key: KeyObject, extensions: Buffer[], signer: KeyObject): string {
  const algorithm =
    signer.asymmetricKeyType === 'rsa' ? sequence(OID.sha256WithRsa, NULL) : sequence(OID.ecdsaWithSha256);
  const body = sequence(
    tlv(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    commonName(issuer),
    sequence(utcTime('200101000000Z'), utcTime('491231235959Z')),
    commonName(subject),
    key.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions)),
  );
  const signature = tlv(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, signer)]));
  const base64 = sequence(body, algorithm, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${base64.replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

function commonName(name: string): Buffer {
  return sequence(tlv(0x31, sequence(OID.commonName, tlv(0x0c, Buffer.from(name)))));
}

function generalName(name: string): Buffer {
  return isIP(name) === 4 ? tlv(0x87, Buffer.from(name.split('.').map(Number))) : tlv(0x82, Buffer.from(name));
}

function extension(oid: Buffer, value: Buffer): Buffer {
  return sequence(oid, tlv(0x04, value));
}

function utcTime(text: string): Buffer {
  return tlv(0x17, Buffer.from(text));
}

function integer(bytes: Buffer): Buffer {
  return tlv(0x02, bytes);
}

function sequence(...parts: Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

/** ASN.1, distinguished encoding: tag, length, value. */
function tlv(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}

const oid = (hex: string): Buffer => tlv(0x06, Buffer.from(hex, 'hex'));

const NULL = Buffer.from([0x05, 0x00]);
const BOOLEAN_TRUE = Buffer.from([0x01, 0x01, 0xff]);

const OID = {
  commonName: oid('550403'),
  basicConstraints: oid('551d13'),
  keyUsage: oid('551d0f'),
  subjectKeyIdentifier: oid('551d0e'),
  authorityKeyIdentifier: oid('551d23'),
  subjectAltName: oid('551d11'),
  extendedKeyUsage: oid('551d25'),
  serverAuth: oid('2b06010505070301'),
  clientAuth: oid('2b06010505070302'),
  ecdsaWithSha256: oid('2a8648ce3d040302'),
  sha256WithRsa: oid('2a864886f70d01010b'),
};
