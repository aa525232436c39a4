/** The blocks of a PEM file with one of these labels, each with its own lines around it (RFC 7468). */
export function pemBlocks(text: string, label: RegExp): readonly string[] {
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g) ?? [];
  return blocks.filter((block) => label.test(block.slice('-----BEGIN '.length, block.indexOf('-----', 11))));
}

export const certificateLabel = /^(?:X509 |TRUSTED )?CERTIFICATE$/;
export const keyLabel = /PRIVATE KEY$/;

export function certificatePem(der: ArrayBuffer): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
