import type { KeyObject } from 'node:crypto';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { AsnConvert } from '@peculiar/asn1-schema';
import * as x509 from '@peculiar/asn1-x509';
import { messageOf, RegistryError } from '../oci/errors.ts';
import type { Constraints } from './constraints.ts';
import { constraintsOf, permits } from './constraints.ts';
import type { Issuer } from './mint.ts';
import { keyIdentifierOf } from './mint.ts';
import { certificateLabel, keyLabel, pemBlocks } from './pem.ts';
import { schemeOf } from './signature.ts';
import type { SubjectName } from './subject-name.ts';

/** A certificate authority that can sign: its certificate, its key, and what stands between it and those who trust it. */
export interface Signer {
  /** SHA-256 of its certificate, as tools print it: `AB:CD:...`. Another one is another signer. */
  readonly fingerprint: string;
  readonly issuer: Issuer;
  /** `undefined` when it may sign for every name. */
  readonly constraints: Constraints | undefined;
  /** What is sent after a leaf, PEM; empty when clients trust the signer itself. */
  readonly chain: string;
  /** What clients have to trust, PEM. */
  readonly root: string;
  /** Milliseconds since the epoch: of the first in the chain that ends. */
  readonly validTo: number;
}

export function maySign({ constraints }: Signer, name: SubjectName): boolean {
  return constraints === undefined || permits(constraints, name);
}

/**
 * The first certificate is the one that signs; what it was signed by may follow.
 * @param setting what the operator wrote, for errors: `intercept.ca`
 * @throws RegistryError `UNAVAILABLE` (origin `operator`)
 */
export function readSigner(certificatesText: string, keyText: string, setting: string): Signer {
  const blocks = pemBlocks(certificatesText, certificateLabel);
  const certificates = blocks.map((block) => parsedCertificate(block, setting));
  const [first, ...others] = certificates;
  if (first === undefined) throw unusable(setting, 'there is no certificate in PEM in it', 'write a PEM file');
  const key = parsedKey(keyText, setting);
  checkPair(first, key, setting);
  const parsed = AsnConvert.parse(new Uint8Array(first.raw), x509.Certificate);
  checkAuthority(first, parsed, setting);
  const scheme = schemeOf(key);
  if (scheme === undefined)
    throw unusable(setting, 'its kind of key cannot sign for servers', 'use one with an EC (P-256) or RSA key');
  const name = parsed.tbsCertificate.subject;
  const chain = certificates.filter((each) => !isSelfSigned(each));
  return {
    fingerprint: first.fingerprint256,
    issuer: { name, keyIdentifier: keyIdentifierIn(parsed, key), key, scheme },
    constraints: constraintsOf(parsed),
    chain: chain.map((each) => each.toString()).join(''),
    root: (others.findLast(isSelfSigned) ?? others.at(-1) ?? first).toString(),
    validTo: Math.min(...certificates.map((each) => each.validToDate.getTime())),
  };
}

function parsedCertificate(block: string, setting: string): X509Certificate {
  try {
    return new X509Certificate(block);
  } catch (cause) {
    throw unusable(setting, `a certificate in it cannot be read (${messageOf(cause)})`, 'write a PEM file', cause);
  }
}

function parsedKey(text: string, setting: string): KeyObject {
  const [block] = pemBlocks(text, keyLabel);
  if (block === undefined) throw unusable(setting, 'there is no private key in PEM in it', 'write a PEM file');
  if (/ENCRYPTED/.test(block))
    throw unusable(setting, 'its key is encrypted', 'write one without a passphrase (openssl pkey -in KEY -out NEW)');
  try {
    return createPrivateKey(block);
  } catch (cause) {
    throw unusable(setting, `its key cannot be read (${messageOf(cause)})`, 'write a PEM file', cause);
  }
}

function checkPair(certificate: X509Certificate, key: KeyObject, setting: string): void {
  if (certificate.checkPrivateKey(key)) return;
  throw unusable(setting, 'the key is not that of the first certificate', 'put the certificate that signs first');
}

function checkAuthority(certificate: X509Certificate, parsed: x509.Certificate, setting: string): void {
  const usage = parsed.tbsCertificate.extensions?.find(({ extnID }) => extnID === x509.id_ce_keyUsage);
  const flags = usage && AsnConvert.parse(usage.extnValue.buffer, x509.KeyUsage).toNumber();
  const signs = flags === undefined || (flags & x509.KeyUsageFlags.keyCertSign) !== 0;
  if (certificate.ca && signs) return;
  throw unusable(
    setting,
    `${certificate.subject.replaceAll('\n', ', ')} may not sign certificates`,
    'give a certificate authority (basicConstraints CA:TRUE, keyUsage keyCertSign)',
  );
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}

function keyIdentifierIn(parsed: x509.Certificate, key: KeyObject): ArrayBuffer {
  const extensions = parsed.tbsCertificate.extensions ?? [];
  const found = extensions.find(({ extnID }) => extnID === x509.id_ce_subjectKeyIdentifier);
  if (found === undefined) return keyIdentifierOf(createPublicKey(key));
  return AsnConvert.parse(found.extnValue.buffer, x509.SubjectKeyIdentifier).buffer;
}

function unusable(setting: string, what: string, advice: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `${setting}: ${what}; ${advice}`, { origin: 'operator', cause });
}
