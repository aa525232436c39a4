import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import { Attributes, CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import * as x509 from '@peculiar/asn1-x509';
import { schemeOf, signed } from '../signature.ts';

/** Asks for a certificate of that name and key (RFC 2986), in DER. */
export function signingRequest(host: string, key: KeyObject): Buffer {
  const scheme = schemeOf(key);
  if (scheme === undefined) throw new Error('a key that cannot sign');
  const names = new x509.SubjectAlternativeName([new x509.GeneralName({ dNSName: host })]);
  const extension = new x509.Extension({
    extnID: x509.id_ce_subjectAltName,
    extnValue: new OctetString(AsnConvert.serialize(names)),
  });
  const values = [AsnConvert.serialize(new x509.Extensions([extension]))];
  const certificationRequestInfo = new CertificationRequestInfo({
    subjectPKInfo: AsnConvert.parse(
      createPublicKey(key).export({ type: 'spki', format: 'der' }),
      x509.SubjectPublicKeyInfo,
    ),
    attributes: new Attributes([new x509.Attribute({ type: extensionRequest, values })]),
  });
  const signature = signed(AsnConvert.serialize(certificationRequestInfo), key, scheme);
  const signatureAlgorithm = scheme.algorithm;
  return Buffer.from(
    AsnConvert.serialize(new CertificationRequest({ certificationRequestInfo, signatureAlgorithm, signature })),
  );
}

/** RFC 2985, 5.4.2. */
const extensionRequest = '1.2.840.113549.1.9.14';
